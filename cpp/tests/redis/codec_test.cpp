#include <gtest/gtest.h>

#include <array>
#include <headrace/redis/codec.hpp>
#include <string>

namespace headrace::redis {
namespace {

TEST(redis_codec, formats_commands_with_any_bytes) {
    const std::string_view args[] = {"SET", "", std::string_view("a\0\r\n", 4)};
    EXPECT_EQ(format_command(args), std::string("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\0\r\n\r\n", 29));
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

// Writes down what it is told, one word per call.
struct listening final : reply_source, reply_visitor {
    reply_visitor* next_reply() override { return expected-- == 0 ? nullptr : this; }
    void reply_done() override { log += "."; }
    void begin() override { log += "("; }
    void status(std::string_view text) override { log += "+" + std::string(text) + " "; }
    void error(std::string_view text) override { log += "-" + std::string(text) + " "; }
    void string(std::string_view bytes) override {
        log += bytes.size() < 20 ? "$" + std::string(bytes) + " " : "$" + std::to_string(bytes.size()) + " bytes ";
    }
    void integer(std::int64_t value) override { log += std::to_string(value) + " "; }
    void nil() override { log += "nil "; }
    void array(std::size_t elements) override { log += "*" + std::to_string(elements) + " "; }
    std::size_t expected = 1000;
    std::string log;
};

failure feed(decoder& d, std::string_view bytes, reply_source& to) {
    return d.feed(std::span(bytes.data(), bytes.size()), to);
}

// What arrives in one piece, and what arrives in pieces of `size` bytes.
std::string heard(std::string_view bytes, std::size_t size) {
    listening sink;
    decoder d;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
        if (auto bad = feed(d, bytes.substr(at, size), sink)) return sink.log + bad.message;
    }
    return sink.log;
}

TEST(redis_codec, hands_out_replies_of_every_kind_however_they_are_torn) {
    const std::string_view bytes =
        "+OK\r\n-ERR no\r\n:-12\r\n:9223372036854775807\r\n$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
        "*3\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n*0\r\n+a\rb\r\n";
    const std::string expected =
        "(+OK .(-ERR no .(-12 .(9223372036854775807 .($a\r\n .($ .(nil .(nil .(*0 ."
        "(*3 *2 1 *1 $x *0 +a\rb .";
    for (std::size_t size = 1; size <= bytes.size(); ++size) EXPECT_EQ(heard(bytes, size), expected) << size;
}

TEST(redis_codec, refuses_what_is_not_a_reply) {
    for (const std::string_view bytes : {"GET / HTTP/1.1\r\n\r\n", ":1x\r\n", "$-2\r\n"}) {
        listening sink;
        decoder d;
        EXPECT_EQ(feed(d, bytes, sink).code, errc::protocol_error) << bytes;
        EXPECT_NE(heard(bytes, 1).find("bad reply"), std::string::npos) << bytes;
    }
}

TEST(redis_codec, refuses_a_reply_that_nobody_expects) {
    listening sink;
    sink.expected = 1;
    decoder d;
    EXPECT_EQ(feed(d, "+a\r\n+b\r\n", sink).message, "the server sent a reply to no command");
    EXPECT_EQ(sink.log, "(+a .");
}

TEST(redis_codec, the_rest_of_a_reply_can_be_diverted) {
    listening sink;
    reply_visitor nobody;
    decoder d;
    EXPECT_FALSE(feed(d, "*2\r\n:1\r\n", sink));
    d.divert(nobody);
    EXPECT_FALSE(feed(d, ":2\r\n:3\r\n", sink));
    d.divert(nobody);
    EXPECT_FALSE(feed(d, ":4\r\n", sink));
    EXPECT_EQ(sink.log, "(*2 1 .(3 .(4 .");
}

TEST(redis_codec, decodes_replies_larger_than_any_read) {
    const std::string bytes = "$1000000\r\n" + std::string(1'000'000, 'x') + "\r\n:1\r\n";
    for (const std::size_t size : {std::size_t{1000}, std::size_t{65536}, bytes.size()}) {
        EXPECT_EQ(heard(bytes, size), "($1000000 bytes .(1 .");
    }
}

TEST(redis_codec, starts_afresh_after_reset) {
    listening sink;
    decoder d;
    EXPECT_FALSE(feed(d, "*3\r\n$5\r\nab", sink));
    d.reset();
    EXPECT_FALSE(feed(d, "+OK\r\n", sink));
    EXPECT_TRUE(feed(d, "?\r\n", sink));
    d.reset();
    EXPECT_FALSE(feed(d, "+OK\r\n", sink));
    EXPECT_EQ(sink.log, "(*3 (+OK .(+OK .");
}

}  // namespace
}  // namespace headrace::redis
