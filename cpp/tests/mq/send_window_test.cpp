#include <gtest/gtest.h>

#include <headrace/mq/send_window.hpp>
#include <vector>

namespace headrace::mq {
namespace {

using namespace std::chrono_literals;

TEST(send_window, has_room_until_its_limit) {
    send_window w(2);
    EXPECT_EQ(w.add(1ns, 2ns, 10), 0U);
    EXPECT_EQ(w.add(3ns, 4ns, 11), 1U);
    EXPECT_EQ(w.room(), 0U);
    const auto e = w.settle(1);
    EXPECT_EQ(e.intended, 3ns);
    EXPECT_EQ(e.sent, 4ns);
    EXPECT_EQ(e.size, 11U);
    EXPECT_EQ(w.room(), 1U);
}

TEST(send_window, takes_acks_in_any_order) {
    send_window w(100);
    for (int i = 0; i < 100; ++i) w.add(ns{i}, ns{i}, 1);
    for (std::uint64_t tag = 99; tag < 100; --tag) EXPECT_EQ(w.settle(tag).sent, ns{static_cast<std::int64_t>(tag)});
    EXPECT_EQ(w.in_flight(), 0U);
    EXPECT_EQ(w.first_tag(), 100U);
    EXPECT_EQ(w.add(0ns, 0ns, 1), 100U);
}

TEST(send_window, is_worth_refilling_at_half_and_at_once_when_it_is_one) {
    send_window one(1);
    one.add(0ns, 0ns, 1);
    EXPECT_FALSE(one.worth_refilling());
    one.settle(0);
    EXPECT_TRUE(one.worth_refilling());
    send_window ten(10);
    for (int i = 0; i < 10; ++i) ten.add(0ns, 0ns, 1);
    for (std::uint64_t tag = 0; tag < 4; ++tag) ten.settle(tag);
    EXPECT_FALSE(ten.worth_refilling());
    ten.settle(4);
    EXPECT_TRUE(ten.worth_refilling());
}

TEST(send_window, counts_another_attempt_for_what_is_unsettled) {
    send_window w(3);
    for (int i = 0; i < 3; ++i) w.add(0ns, 0ns, 1);
    w.settle(1);
    w.resend();
    std::vector<std::pair<std::uint64_t, int>> left;
    w.for_each_unsettled([&](std::uint64_t tag, const send_window::entry& e) { left.emplace_back(tag, e.attempts); });
    EXPECT_EQ(left, (std::vector<std::pair<std::uint64_t, int>>{{0, 2}, {2, 2}}));
}

}  // namespace
}  // namespace headrace::mq
