#include <gtest/gtest.h>

#include <headrace/redis/value.hpp>

namespace headrace::redis {
namespace {

struct one_reply final : reply_source {
    reply_visitor* next_reply() override { return &builder; }
    void reply_done() override { values.push_back(builder.take()); }
    value_builder builder;
    std::vector<value> values;
};

std::string text(const value& v) {
    switch (v.type) {
        case value::kind::nil: return "nil";
        case value::kind::integer: return std::to_string(v.number);
        case value::kind::array: {
            std::string all = "[";
            for (const auto& item : v.items) all += (all.size() > 1 ? " " : "") + text(item);
            return all + "]";
        }
        default: return v.text;
    }
}

std::string decoded(std::string_view bytes) {
    one_reply replies;
    decoder d;
    const auto bad = d.feed(std::span(bytes.data(), bytes.size()), replies);
    EXPECT_FALSE(bad) << bad.message;
    std::string all;
    for (const auto& v : replies.values) all += text(v) + ";";
    return all;
}

TEST(value, builds_nested_arrays_with_empty_ones_in_between) {
    EXPECT_EQ(decoded("*4\r\n*0\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n*-1\r\n+ok\r\n"), "[[] [1 [x]] nil ok];");
}

TEST(value, builds_each_reply_from_nothing) {
    EXPECT_EQ(decoded("+a\r\n*1\r\n:2\r\n$-1\r\n-E b\r\n"), "a;[2];nil;E b;");
}

TEST(value, keeps_binary_strings) {
    EXPECT_EQ(decoded(std::string_view("$3\r\n\0\r\n\r\n", 9)), std::string("\0\r\n;", 4));
}

}  // namespace
}  // namespace headrace::redis
