#include <gtest/gtest.h>

#include <headrace/mq/payload.hpp>

namespace headrace::mq {
namespace {

constexpr std::string_view id = "k3x9q2m7ab1c-03-0000001234";

payload_source made(std::string_view what, std::size_t size) {
    payload_source source;
    const auto bad = payload_source::make(what, size, 1, source);
    EXPECT_FALSE(bad) << bad.message;
    return source;
}

TEST(payload, has_exactly_its_size_and_begins_with_the_id) {
    for (const char* what : {"random", "text"}) {
        for (const std::size_t size : {26U, 27U, 28U, 149U, 1000U, 70'000U}) {
            auto source = made(what, size);
            const auto bytes = source.at(id);
            EXPECT_EQ(bytes.size(), size);
            EXPECT_EQ(id_in_payload(bytes), id) << what << " " << size;
        }
    }
}

TEST(payload, too_small_for_its_id_carries_none) {
    for (const std::size_t size : {1U, 22U, 25U}) {
        auto source = made("text", size);
        EXPECT_EQ(source.at(id).size(), size);
        EXPECT_EQ(id_in_payload(source.at(id)), "");
    }
}

TEST(payload, random_bytes_differ_from_message_to_message) {
    auto source = made("random", 200);
    const std::string first(source.at(id));
    EXPECT_NE(first, source.at(id));
}

TEST(payload, a_file_that_is_not_there_is_named) {
    payload_source source;
    const auto bad = payload_source::make("/nowhere/payload.bin", 10, 1, source);
    EXPECT_EQ(bad.code, errc::invalid_argument);
    EXPECT_NE(bad.message.find("/nowhere/payload.bin"), std::string::npos);
}

TEST(payload, finds_no_id_in_foreign_text) {
    for (const char* text : {"", "hello world", "{\"json\": 1, \"and\": \"more of it, much more\"}", "short-id rest",
                             "this_word_is_far_too_long_to_be_one_of_our_ids rest"}) {
        EXPECT_EQ(id_in_payload(text), "") << text;
    }
}

}  // namespace
}  // namespace headrace::mq
