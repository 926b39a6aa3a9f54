#include <gtest/gtest.h>

#include <headrace/mq/id.hpp>
#include <set>

namespace headrace::mq {
namespace {

TEST(message_id, has_a_fixed_width_and_sorts_by_number) {
    id_writer ids("k3x9q2m7ab1c", 3);
    EXPECT_EQ(ids.at(0), "k3x9q2m7ab1c-03-0000000000");
    EXPECT_EQ(ids.at(1234), "k3x9q2m7ab1c-03-0000001234");
    EXPECT_EQ(ids.at(9'999'999'999), "k3x9q2m7ab1c-03-9999999999");
    EXPECT_EQ(ids.size(), 26U);
}

TEST(message_id, grows_rather_than_repeats) {
    id_writer ids("a", 123);
    EXPECT_EQ(ids.at(10'000'000'000), "a-123-10000000000");
}

TEST(message_id, stays_within_forty_characters_for_every_instance_allowed) {
    id_writer ids(std::string(24, 'x'), 999);
    EXPECT_LE(ids.at(9'999'999'999).size(), 40U);
    EXPECT_GE(id_writer("abc", 0).at(0).size(), 16U);
}

TEST(message_id, instances_are_random_and_valid) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto instance = random_instance();
        EXPECT_EQ(instance.size(), 12U);
        EXPECT_TRUE(valid_instance(instance));
        seen.insert(instance);
    }
    EXPECT_EQ(seen.size(), 1000U);
}

TEST(message_id, refuses_instances_that_a_csv_or_a_payload_would_not_carry) {
    for (const char* text : {"", "a,b", "a b", "a\n", "1234567890123456789012345"}) EXPECT_FALSE(valid_instance(text));
}

}  // namespace
}  // namespace headrace::mq
