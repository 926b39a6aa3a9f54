#include "http_websocket_peer.hpp"

#include <utility>

#include "http_connection.hpp"

namespace headrace::net::http {

using websocket::opcode;
namespace close_code = websocket::close_code;

websocket_peer::websocket_peer(http::connection& owner, std::shared_ptr<websocket::listener> events,
                               const websocket::connection_options& options)
    : owner_(&owner),
      thread_(owner.home().thread()),
      events_(std::move(events)),
      reader_({.reads_as = websocket::role::server, .max_message = options.max_message}),
      max_buffered_(options.max_buffered) {}

void websocket_peer::open() {
    const auto self = shared_from_this();
    try {
        events_->on_open(self);
    } catch (...) {
        close(close_code::internal_error, "the handler failed");
    }
}

std::size_t websocket_peer::read(std::span<char> in) {
    const auto keep = shared_from_this();
    std::size_t used = 0;
    while (owner_ != nullptr && !owner_->closed() && !paused_) {
        const auto s = reader_.next(in.subspan(used));
        used += s.consumed;
        if (s.what == websocket::reader::event::need_more) break;
        if (!handle(s)) return in.size();
    }
    return used;
}

bool websocket_peer::handle(const websocket::reader::step& s) {
    using event = websocket::reader::event;
    switch (s.what) {
        case event::text: message(opcode::text, s.payload); return true;
        case event::binary: message(opcode::binary, s.payload); return true;
        case event::ping:
            if (!close_sent_) {
                frame_.clear();
                websocket::append_frame(frame_, opcode::pong, s.payload);
                put(frame_);
            }
            return true;
        case event::pong: return true;
        case event::close: {
            const std::string reason(s.payload);
            close(reader_.code(), {});
            finish(reader_.code(), reason);
            break;
        }
        case event::failed: {
            const std::string reason(s.payload);
            close(reader_.code(), reason);
            finish(reader_.code(), reason);
            break;
        }
        case event::need_more: return true;
    }
    if (owner_ != nullptr) owner_->close_after_write();
    return false;
}

// A listener's exception ends this WebSocket and nothing else.
void websocket_peer::message(opcode code, std::string_view payload) {
    if (close_sent_ || !events_) return;
    try {
        events_->on_message(*this, code, payload);
    } catch (...) {
        close(close_code::internal_error, "the handler failed");
    }
}

void websocket_peer::put(std::string_view frame) {
    if (owner_ == nullptr) return;
    owner_->queue(frame);
    check_buffered();
}

void websocket_peer::check_buffered() {
    if (buffered() <= max_buffered_ || close_sent_) return;
    // Nothing that is queued now will be read in time, a close frame neither.
    close_code_ = close_code::policy;
    close_reason_ = "too slow";
    close_sent_ = true;
    const auto keep = shared_from_this();
    owner_->home().thread().post([keep] {
        if (keep->owner_ == nullptr) return;
        auto* const owner = keep->owner_;
        keep->on_lost();
        owner->close(true);
    });
}

void websocket_peer::send(opcode code, std::string_view payload) {
    if (owner_ == nullptr || close_sent_) return;
    frame_.clear();
    websocket::append_frame(frame_, code, payload);
    put(frame_);
}

void websocket_peer::send_frames(std::shared_ptr<const std::string> frames) {
    if (owner_ == nullptr || close_sent_) return;
    owner_->queue(std::move(frames));
    check_buffered();
}

void websocket_peer::close(std::uint16_t code, std::string_view reason) {
    if (owner_ == nullptr || close_sent_) return;
    frame_.clear();
    websocket::append_close(frame_, code, reason);
    owner_->queue(frame_);
    close_sent_ = true;
    close_code_ = code;
    close_reason_ = reason;
}

bool websocket_peer::on_silence(bool heard) {
    if (heard || paused_) {  // what it answers is not read
        asked_ = false;
        return true;
    }
    if (asked_ || close_sent_) return false;
    asked_ = true;
    frame_.clear();
    websocket::append_frame(frame_, opcode::ping, {});
    put(frame_);
    return true;
}

void websocket_peer::resume() {
    if (!std::exchange(paused_, false) || owner_ == nullptr) return;
    const auto keep = shared_from_this();
    owner_->resume_reading();
}

void websocket_peer::on_progress() {
    const auto events = events_;
    try {
        if (events) events->on_progress(*this);
    } catch (...) {  // nothing depends on it
    }
}

void websocket_peer::finish(std::uint16_t code, std::string_view reason) {
    if (const auto events = std::exchange(events_, nullptr)) {
        try {
            events->on_close(*this, code, reason);
        } catch (...) {  // it has been told; there is nobody else to tell
        }
    }
}

void websocket_peer::on_lost() {
    const auto keep = shared_from_this();
    finish(close_code_, close_reason_);
    owner_ = nullptr;
}

std::size_t websocket_peer::buffered() const noexcept {
    return owner_ == nullptr ? 0 : owner_->buffered();
}
io_thread& websocket_peer::thread() noexcept {
    return thread_;
}

}  // namespace headrace::net::http
