#include <gtest/gtest.h>

#include <headrace/http/answer_wire.hpp>

namespace headrace::http {
namespace {

using namespace std::string_literals;

TEST(AnswerWire, AnAnswerComesBackAsItWas) {
    wire_answer a;
    a.what = wire_answer::kind::raised;
    a.head = net::http::response::text(418, "");
    a.head.fields.emplace_back("X-A", "b");
    a.log = "Traceback";
    const auto head = pack_head(a);
    wire_answer back;
    ASSERT_TRUE(unpack(head + "content", back));
    EXPECT_EQ(back.what, wire_answer::kind::raised);
    EXPECT_EQ(back.head.status, 418U);
    EXPECT_EQ(back.head.content_type, a.head.content_type);
    EXPECT_EQ(back.head.fields, a.head.fields);
    EXPECT_EQ(back.head.body, "content");
    EXPECT_EQ(back.log, "Traceback");
    for (std::size_t n = 0; n < head.size(); ++n) {
        wire_answer cut;
        EXPECT_FALSE(unpack(head.substr(0, n), cut)) << n;
    }
}

TEST(AnswerWire, BytesAreFoundInTheirPickle) {
    // As pickle.dumps(b"abc", 5) and of 300 bytes write them.
    std::string_view found;
    const auto shorter =
        "\x80\x05\x43\x03"
        "abc\x94."s;
    ASSERT_TRUE(pickled_bytes(shorter, found));
    EXPECT_EQ(found, "abc");
    const auto longer = "\x80\x05\x95\x35\x01\0\0\0\0\0\0B\x2c\x01\0\0"s + std::string(300, 'x') + "\x94.";
    ASSERT_TRUE(pickled_bytes(longer, found));
    EXPECT_EQ(found, std::string(300, 'x'));
    EXPECT_FALSE(pickled_bytes(longer.substr(0, 100), found));
    EXPECT_FALSE(pickled_bytes("\x80\x05N."s, found));
    EXPECT_FALSE(pickled_bytes("", found));
}

TEST(AnswerWire, ArgumentsArePickledAsTuples) {
    EXPECT_EQ(pickle_arguments("ab"),
              "\x80\x05"
              "B\x02\0\0\0ab\x85N\x86."s);
    EXPECT_EQ(pickle_arguments("ab", "c"),
              "\x80\x05"
              "B\x02\0\0\0abB\x01\0\0\0c\x86N\x86."s);
}

}  // namespace
}  // namespace headrace::http
