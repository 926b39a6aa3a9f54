#include <algorithm>
#include <headrace/net/websocket_reader.hpp>
#include <utility>

namespace headrace::net::websocket {
namespace {
constexpr reader::step more(std::size_t consumed) {
    return {reader::event::need_more, consumed, {}};
}
std::string_view view(std::span<char> bytes) noexcept {
    return {bytes.data(), bytes.size()};
}
}  // namespace

reader::step reader::fail(std::uint16_t code, std::string_view reason) noexcept {
    failed_ = true;
    code_ = code;
    return {event::failed, 0, reason};
}

reader::step reader::next(std::span<char> in) {
    if (failed_) return {event::failed, 0, {}};
    if (!in_frame_ && !in_message_) message_.clear();
    for (std::size_t used = 0;;) {
        const auto rest = in.subspan(used);
        auto s = in_frame_ ? data(rest) : start_frame(rest);
        used += s.consumed;
        if (s.what != event::need_more || s.consumed == 0) return {s.what, used, s.payload};
    }
}

// What breaks the protocol in a frame header; empty when nothing does.
std::string_view reader::judge(const frame_header& h) noexcept {
    if ((h.rsv & ~options_.allowed_rsv) != 0) return "a reserved bit is set";
    if ((h.code > 2 && h.code < 8) || h.code > 10) return "unknown opcode";
    if (h.masked != (options_.reads_as == role::server)) return h.masked ? "masked frame" : "frame without a mask";
    if (!h.shortest) return "the payload size is not in its shortest form";
    if (h.size >> 63U != 0) return "the payload size has its highest bit set";
    if (is_control(h.code)) {
        if (!h.fin) return "fragmented control frame";
        return h.size > 125 ? "control frame of more than 125 bytes" : "";
    }
    const bool continues = h.code == static_cast<std::uint8_t>(opcode::continuation);
    if (continues && !in_message_) return "continuation of nothing";
    return !continues && in_message_ ? "a new message before the end of the last" : "";
}

reader::step reader::start_frame(std::span<char> in) {
    frame_header h;
    if (!read_header(view(in), h)) return more(0);
    if (const auto wrong = judge(h); !wrong.empty()) return fail(close_code::protocol_error, wrong);
    if (is_control(h.code)) {
        const auto total = h.header_size + static_cast<std::size_t>(h.size);
        if (in.size() < total) return more(0);
        const auto payload = in.subspan(h.header_size, static_cast<std::size_t>(h.size));
        if (h.masked) apply_mask(payload, h.mask, 0);
        frame_.code = h.code;
        return control(payload, total);
    }
    if (h.size > options_.max_message - message_.size()) return fail(close_code::too_big, "the message is too big");
    if (h.code != static_cast<std::uint8_t>(opcode::continuation)) {
        text_ = h.code == static_cast<std::uint8_t>(opcode::text);
        utf8_.reset();
    }
    frame_ = h;
    read_ = 0;
    in_frame_ = true;
    auto s = data(in.subspan(h.header_size));
    s.consumed += h.header_size;
    return s;
}

reader::step reader::data(std::span<char> in) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), frame_.size - read_));
    const auto piece = in.first(n);
    if (frame_.masked) apply_mask(piece, frame_.mask, read_);
    read_ += n;
    if (text_ && !utf8_.add(view(piece))) return fail(close_code::bad_data, "text that is not UTF-8");
    const bool frame_ends = read_ == frame_.size;
    const bool whole = frame_ends && frame_.fin;
    if (whole && !in_message_ && read_ == n) {  // in one piece: no copy
        in_frame_ = false;
        return finish_message(n, view(piece));
    }
    message_.append(piece.data(), n);
    if (!frame_ends) return more(n);
    in_frame_ = false;
    in_message_ = !frame_.fin;
    return whole ? finish_message(n, message_) : more(n);
}

reader::step reader::finish_message(std::size_t consumed, std::string_view payload) {
    if (text_ && !utf8_.complete()) return fail(close_code::bad_data, "text that ends within a character");
    return {text_ ? event::text : event::binary, consumed, payload};
}

reader::step reader::control(std::span<char> payload, std::size_t consumed) {
    switch (static_cast<opcode>(frame_.code)) {
        case opcode::ping: return {event::ping, consumed, view(payload)};
        case opcode::pong: return {event::pong, consumed, view(payload)};
        default: return read_close(view(payload), consumed);
    }
}

reader::step reader::read_close(std::string_view payload, std::size_t consumed) {
    if (payload.empty()) {
        code_ = close_code::none_given;
        return {event::close, consumed, {}};
    }
    if (payload.size() == 1) return fail(close_code::protocol_error, "a close code of one byte");
    const auto high = static_cast<unsigned char>(payload[0]);
    const auto code = static_cast<std::uint16_t>(high << 8U | static_cast<unsigned char>(payload[1]));
    if (!may_be_sent(code)) return fail(close_code::protocol_error, "a close code that may not be sent");
    const auto reason = payload.substr(2);
    utf8_validator check;
    if (!check.add(reason) || !check.complete()) return fail(close_code::bad_data, "a close reason that is not UTF-8");
    code_ = code;
    return {event::close, consumed, reason};
}

}  // namespace headrace::net::websocket
