#include <gtest/gtest.h>

#include <headrace/mq/redis_entries.hpp>

namespace headrace::mq {
namespace {

// Feeds RESP through the decoder, as a connection would.
struct parsing final : redis::reply_source, redis::reply_visitor {
    parsing(std::string_view bytes, entries_shape shape) : shape_(shape) {
        redis::decoder d;
        const auto bad = d.feed(std::span(bytes.data(), bytes.size()), *this);
        EXPECT_FALSE(bad) << bad.message;
    }
    redis::reply_visitor* next_reply() override { return this; }
    void reply_done() override {}
    void begin() override { parser.begin(shape_); }
    void status(std::string_view) override {}
    void error(std::string_view text) override { parser.error(text); }
    void string(std::string_view bytes) override { parser.string(bytes); }
    void integer(std::int64_t) override {}
    void nil() override { parser.nil(); }
    void array(std::size_t n) override { parser.array(n); }
    entry_parser parser;
    entries_shape shape_;
};

TEST(redis_entries, reads_the_entries_of_xreadgroup) {
    const parsing p(
        "*1\r\n*2\r\n$1\r\nt\r\n*2\r\n"
        "*2\r\n$4\r\n12-3\r\n*4\r\n$2\r\nid\r\n$1\r\na\r\n$1\r\nm\r\n$4\r\nbody\r\n"
        "*2\r\n$4\r\n12-4\r\n*4\r\n$1\r\nm\r\n$0\r\n\r\n$2\r\nid\r\n$1\r\nb\r\n",
        entries_shape::read);
    ASSERT_EQ(p.parser.entries().size(), 2U);
    const auto& first = p.parser.entries()[0];
    EXPECT_EQ(first.where, (stream_id{12, 3}));
    EXPECT_EQ(p.parser.name(first), "12-3");
    EXPECT_EQ(p.parser.id(first), "a");
    EXPECT_EQ(p.parser.payload(first), "body");
    EXPECT_EQ(p.parser.id(p.parser.entries()[1]), "b");
    EXPECT_EQ(p.parser.payload(p.parser.entries()[1]), "");
}

TEST(redis_entries, takes_foreign_fields_as_the_payload) {
    const parsing p(
        "*1\r\n*2\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*4\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\ny\r\n$1\r\n2\r\n",
        entries_shape::read);
    EXPECT_EQ(p.parser.id(p.parser.entries()[0]), "");
    EXPECT_EQ(p.parser.payload(p.parser.entries()[0]), "2");
}

TEST(redis_entries, nothing_is_an_empty_list) {
    EXPECT_TRUE(parsing("*-1\r\n", entries_shape::read).parser.entries().empty());
    EXPECT_TRUE(parsing("*1\r\n*2\r\n$1\r\nt\r\n*0\r\n", entries_shape::read).parser.entries().empty());
}

TEST(redis_entries, marks_pending_entries_whose_content_is_gone) {
    const parsing p(
        "*1\r\n*2\r\n$1\r\nt\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*-1\r\n*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\nm\r\n$1\r\nx\r\n",
        entries_shape::read);
    ASSERT_EQ(p.parser.entries().size(), 2U);
    EXPECT_TRUE(p.parser.entries()[0].deleted);
    EXPECT_FALSE(p.parser.entries()[1].deleted);
}

TEST(redis_entries, reads_cursor_entries_and_trimmed_ids_of_xautoclaim) {
    const parsing p(
        "*3\r\n$3\r\n5-0\r\n*1\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$2\r\nid\r\n$1\r\na\r\n*2\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n",
        entries_shape::claim);
    EXPECT_EQ(p.parser.cursor(), "5-0");
    ASSERT_EQ(p.parser.entries().size(), 1U);
    EXPECT_EQ(p.parser.id(p.parser.entries()[0]), "a");
    EXPECT_EQ(p.parser.trimmed(), 2U);
}

TEST(redis_entries, keeps_the_text_of_an_error) {
    EXPECT_EQ(parsing("-NOGROUP no\r\n", entries_shape::read).parser.error_text(), "NOGROUP no");
}

TEST(redis_entries, stream_ids_survive_a_round_trip) {
    for (const stream_id id : {stream_id{0, 0}, stream_id{1617516000123, 7}, stream_id{UINT64_MAX, UINT64_MAX}}) {
        char text[48];
        EXPECT_EQ(parse_stream_id({text, format_stream_id(id, text)}), id);
    }
}

}  // namespace
}  // namespace headrace::mq
