#include <gtest/gtest.h>

#include <headrace/net/websocket_frame.hpp>
#include <headrace/net/websocket_reader.hpp>
#include <string>

namespace headrace::net::websocket {
namespace {

using event = reader::event;
using namespace std::string_literals;
constexpr std::array<char, 4> mask{'\x12', '\x34', '\x56', '\x78'};

std::string frame(opcode code, std::string_view payload, bool fin = true) {
    std::string out;
    append_frame(out, code, payload, fin, &mask);
    return out;
}
std::string close_payload(std::uint16_t code, std::string_view reason = {}) {
    return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 255)} + std::string(reason);
}

// What a stream of frames means, as text: "text:hello ping:x close 1000:bye".
std::string read(std::string_view bytes, std::size_t piece = std::string_view::npos, reader_options options = {}) {
    reader r(options);
    std::string pending, log;
    for (std::size_t at = 0; at < bytes.size();) {
        const auto some = bytes.substr(at, piece);
        at += some.size();
        pending += some;
        std::size_t used = 0;
        for (;;) {
            const auto s = r.next(std::span(pending).subspan(used));
            used += s.consumed;
            const std::string payload(s.payload);
            const auto code = std::to_string(r.code());
            if (s.what == event::need_more) break;
            if (s.what == event::failed) return log + "failed " + code + ":" + payload;
            if (s.what == event::text) log += "text:" + payload + " ";
            if (s.what == event::binary) log += "binary:" + payload + " ";
            if (s.what == event::ping) log += "ping:" + payload + " ";
            if (s.what == event::pong) log += "pong:" + payload + " ";
            if (s.what == event::close) log += "close " + code + ":" + payload + " ";
        }
        pending.erase(0, used);
    }
    return log;
}

TEST(websocket_reader, reads_messages_fragments_and_control_frames_between_them_at_any_split) {
    const auto bytes = frame(opcode::text, "h\xc3\xa9llo") + frame(opcode::binary, std::string(300, 'b')) +
                       frame(opcode::text, "fr\xc3", false) + frame(opcode::ping, "p") +
                       frame(opcode::continuation, "", false) + frame(opcode::continuation, "\xa9 end") +
                       frame(opcode::text, "") + frame(opcode::pong, "q") +
                       frame(opcode::close, close_payload(1000, "bye"));
    const auto expected = "text:h\xc3\xa9llo binary:" + std::string(300, 'b') +
                          " ping:p text:fr\xc3\xa9 end text: pong:q close 1000:bye ";
    for (std::size_t piece = 1; piece < 40; ++piece) EXPECT_EQ(read(bytes, piece), expected) << piece;
    EXPECT_EQ(read(bytes), expected);
}

TEST(websocket_reader, a_message_in_one_piece_is_not_copied) {
    auto bytes = frame(opcode::text, "hello");
    reader r;
    const auto s = r.next(bytes);
    EXPECT_EQ(s.what, event::text);
    EXPECT_EQ(s.consumed, bytes.size());
    EXPECT_EQ(s.payload.data(), bytes.data() + 6);
}

TEST(websocket_reader, frames_that_break_the_protocol) {
    EXPECT_EQ(read("\x91\x80\x01\x02\x03\x04"), "failed 1002:a reserved bit is set");
    EXPECT_EQ(read("\x83\x80\x01\x02\x03\x04"), "failed 1002:unknown opcode");
    EXPECT_EQ(read("\x8b\x80\x01\x02\x03\x04"), "failed 1002:unknown opcode");
    EXPECT_EQ(read("\x81\x01x"), "failed 1002:frame without a mask");
    EXPECT_EQ(read(frame(opcode::text, "x"), 100, {.reads_as = role::client}), "failed 1002:masked frame");
    EXPECT_EQ(read("\x81\xfe\0\x05"s + "mask" + "12345"), "failed 1002:the payload size is not in its shortest form");
    EXPECT_EQ(read("\x81\xff\x80\0\0\0\0\0\0\0mask"s), "failed 1002:the payload size has its highest bit set");
    EXPECT_EQ(read(frame(opcode::ping, "", false)), "failed 1002:fragmented control frame");
    EXPECT_EQ(read(frame(opcode::ping, std::string(126, 'x'))), "failed 1002:control frame of more than 125 bytes");
    EXPECT_EQ(read(frame(opcode::continuation, "")), "failed 1002:continuation of nothing");
    EXPECT_EQ(read(frame(opcode::text, "a", false) + frame(opcode::text, "b")),
              "failed 1002:a new message before the end of the last");
}

TEST(websocket_reader, text_is_checked_as_it_arrives) {
    for (const auto* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\x80", "\xe0\x80\x80", "\xf8"}) {
        EXPECT_EQ(read(frame(opcode::text, bad)), "failed 1007:text that is not UTF-8");
        EXPECT_EQ(read(frame(opcode::text, std::string("long enough for words ") + bad + " more", false)),
                  "failed 1007:text that is not UTF-8");
    }
    EXPECT_EQ(read(frame(opcode::text, "\xe2\x82")), "failed 1007:text that ends within a character");
    EXPECT_EQ(read(frame(opcode::text, "\xf0\x9f\x98\x80\xef\xbf\xbf")), "text:\xf0\x9f\x98\x80\xef\xbf\xbf ");
    EXPECT_EQ(read(frame(opcode::binary, "\xff")), "binary:\xff ");
}

TEST(websocket_reader, close_codes) {
    EXPECT_EQ(read(frame(opcode::close, "")), "close 1005: ");
    EXPECT_EQ(read(frame(opcode::close, "x")), "failed 1002:a close code of one byte");
    for (const std::uint16_t good : {1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999}) {
        EXPECT_EQ(read(frame(opcode::close, close_payload(good))), "close " + std::to_string(good) + ": ");
    }
    for (const std::uint16_t bad : {0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535}) {
        EXPECT_EQ(read(frame(opcode::close, close_payload(bad))), "failed 1002:a close code that may not be sent")
            << bad;
    }
    EXPECT_EQ(read(frame(opcode::close, close_payload(1000, "\xff"))), "failed 1007:a close reason that is not UTF-8");
}

TEST(websocket_reader, a_message_beyond_the_limit_is_refused_from_its_header_on) {
    const reader_options ten{.max_message = 10};
    EXPECT_EQ(read(frame(opcode::binary, "0123456789"), 100, ten), "binary:0123456789 ");
    EXPECT_EQ(read(frame(opcode::binary, "0123456789x").substr(0, 6), 100, ten), "failed 1009:the message is too big");
    EXPECT_EQ(read(frame(opcode::binary, "01234567", false) + frame(opcode::continuation, "89x"), 100, ten),
              "failed 1009:the message is too big");
}

TEST(websocket_frame, sizes_are_written_in_their_shortest_form) {
    for (const std::uint64_t size : {0UL, 125UL, 126UL, 65535UL, 65536UL, 1UL << 40U}) {
        std::array<char, 14> out;
        const auto n = write_header(out, opcode::binary, size);
        frame_header h;
        ASSERT_TRUE(read_header({out.data(), n}, h));
        EXPECT_EQ(h.size, size);
        EXPECT_EQ(h.header_size, n);
        EXPECT_TRUE(h.shortest && h.fin && !h.masked && h.rsv == 0);
        EXPECT_FALSE(read_header({out.data(), n - 1}, h));
    }
}

TEST(websocket_frame, masking_is_its_own_inverse_from_any_offset) {
    for (std::size_t size = 0; size < 40; ++size) {
        for (std::size_t offset = 0; offset < 5; ++offset) {
            std::string bytes(size, '\0');
            apply_mask(bytes, mask, offset);
            for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], mask[(offset + i) % 4]);
            apply_mask(bytes, mask, offset);
            EXPECT_EQ(bytes, std::string(size, '\0'));
        }
    }
}

TEST(websocket_frame, close_reasons_are_cut_at_a_character) {
    std::string out;
    append_close(out, 1000, std::string(122, 'x') + "\xc3\xa9", nullptr);
    EXPECT_EQ(out.size(), 2U + 2U + 122U);
    out.clear();
    append_close(out, close_code::none_given, "ignored", nullptr);
    EXPECT_EQ(out, "\x88\0"s);
}

}  // namespace
}  // namespace headrace::net::websocket
