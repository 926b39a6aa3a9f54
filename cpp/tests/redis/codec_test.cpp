#include <gtest/gtest.h>

#include <array>
#include <headrace/redis/codec.hpp>
#include <string>

namespace headrace::redis {
namespace {

TEST(redis_codec, formats_commands_with_any_bytes) {
    const std::string_view args[] = {"SET", "", std::string_view("a\0\r\n", 4)};
    EXPECT_EQ(format_command(args), std::string("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\0\r\n\r\n", 35));
}

TEST(redis_codec, pieces_make_the_same_bytes_as_hiredis) {
    const std::string_view args[] = {"XACK", "topic", "group", "1-0"};
    net::out_buffer pieces;
    append_array_header(pieces, std::size(args));
    for (const auto arg : args) append_bulk(pieces, arg);
    std::array<std::string_view, 2> out;
    ASSERT_EQ(pieces.gather(out), 1U);
    EXPECT_EQ(out[0], format_command(args));
}

struct counting final : reply_source, reply_visitor {
    reply_visitor* next_reply() override { return this; }
    void reply_done() override { ++replies; }
    void status(std::string_view) override {}
    void error(std::string_view) override {}
    void string(std::string_view bytes) override { total += bytes.size(); }
    void integer(std::int64_t) override {}
    void nil() override {}
    void array(std::size_t) override {}
    std::size_t replies = 0, total = 0;
};

TEST(redis_codec, decodes_replies_larger_than_its_slices) {
    const std::string body(1'000'000, 'x');
    const std::string bytes = "$1000000\r\n" + body + "\r\n:1\r\n";
    counting sink;
    decoder d;
    EXPECT_FALSE(d.feed(std::span(bytes.data(), bytes.size()), sink));
    EXPECT_EQ(sink.replies, 2U);
    EXPECT_EQ(sink.total, body.size());
}

TEST(redis_codec, refuses_what_is_not_a_reply_and_starts_afresh_after_reset) {
    counting sink;
    decoder d;
    const std::string nonsense = "GET / HTTP/1.1\r\n\r\n";
    EXPECT_EQ(d.feed(std::span(nonsense.data(), nonsense.size()), sink).code, errc::protocol_error);
    d.reset();
    const std::string fine = "+OK\r\n";
    EXPECT_FALSE(d.feed(std::span(fine.data(), fine.size()), sink));
    EXPECT_EQ(sink.replies, 1U);
}

}  // namespace
}  // namespace headrace::redis
