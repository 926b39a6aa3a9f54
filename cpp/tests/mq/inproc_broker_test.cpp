#include <gtest/gtest.h>

#include <atomic>
#include <headrace/mq/inproc_broker.hpp>
#include <string>

namespace headrace::mq {
namespace {

std::shared_ptr<inproc_topic> fresh(std::size_t limit = 1000) {
    static std::atomic<int> number{0};
    return inproc_topic::get("inproc_broker_test/" + std::to_string(number++), limit);
}

std::shared_ptr<const inproc_slab> slab(std::initializer_list<std::string_view> ids) {
    auto s = std::make_shared<inproc_slab>();
    std::uint64_t tag = 0;
    for (const auto id : ids) s->add(tag++, id, "body");
    return s;
}

void ignore() {}

std::string taken(inproc_topic& topic, const std::string& group, std::uint64_t member, std::size_t count,
                  std::vector<std::uint64_t>* sequences = nullptr) {
    std::vector<inproc_message> messages;
    topic.take(group, member, count, ignore, messages);
    std::string ids;
    for (const auto& m : messages) {
        ids += std::string(m.slab->id(m.index)) + (m.redelivered ? "! " : " ");
        if (sequences != nullptr) sequences->push_back(m.sequence);
    }
    return ids;
}

TEST(inproc_broker, members_of_a_group_share_and_groups_do_not) {
    const auto topic = fresh();
    const auto a = topic->join("g");
    const auto b = topic->join("g");
    const auto other = topic->join("h");
    topic->publish(slab({"1", "2"}), ignore);
    topic->publish(slab({"3"}), ignore);
    EXPECT_EQ(taken(*topic, "g", a, 2), "1 2 ");
    EXPECT_EQ(taken(*topic, "g", b, 2), "3 ");
    EXPECT_EQ(taken(*topic, "h", other, 9), "1 2 3 ");
}

TEST(inproc_broker, messages_published_before_any_group_wait_for_the_first) {
    const auto topic = fresh();
    topic->publish(slab({"1"}), ignore);
    EXPECT_EQ(taken(*topic, "g", topic->join("g"), 9), "1 ");
}

TEST(inproc_broker, what_a_member_left_unacked_goes_to_the_others) {
    const auto topic = fresh();
    const auto a = topic->join("g");
    const auto b = topic->join("g");
    topic->publish(slab({"1", "2", "3"}), ignore);
    std::vector<std::uint64_t> held;
    taken(*topic, "g", a, 3, &held);
    topic->ack("g", {held[1]});
    topic->leave("g", a);
    EXPECT_EQ(taken(*topic, "g", b, 9), "1! 3! ");
}

TEST(inproc_broker, is_bounded_and_wakes_the_producer_when_there_is_room) {
    const auto topic = fresh(2);
    const auto member = topic->join("g");
    EXPECT_TRUE(topic->publish(slab({"1", "2"}), ignore));
    bool woken = false;
    EXPECT_FALSE(topic->publish(slab({"3"}), [&] { woken = true; }));
    std::vector<std::uint64_t> held;
    taken(*topic, "g", member, 2, &held);
    EXPECT_FALSE(woken);
    topic->ack("g", held);
    EXPECT_TRUE(woken);
    EXPECT_TRUE(topic->publish(slab({"3"}), ignore));
}

TEST(inproc_broker, wakes_a_member_that_found_too_little) {
    const auto topic = fresh();
    const auto member = topic->join("g");
    std::vector<inproc_message> none;
    int woken = 0;
    topic->take(
        "g", member, 1, [&] { ++woken; }, none);
    topic->publish(slab({"1"}), ignore);
    topic->publish(slab({"2"}), ignore);
    EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace headrace::mq
