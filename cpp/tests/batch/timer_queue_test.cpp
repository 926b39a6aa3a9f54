#include <gtest/gtest.h>

#include <algorithm>
#include <headrace/batch/timer_queue.hpp>
#include <random>
#include <vector>

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

TEST(TimerQueue, EqualDurationsWakeInTheOrderOfTheirArrival) {
    timer_queue q;
    std::vector<timer_node> nodes(10'000);
    for (std::size_t i = 0; i < nodes.size(); ++i) q.push(nodes[i], 1ms, ns{static_cast<ns::rep>(i)});
    EXPECT_EQ(q.size(), nodes.size());
    EXPECT_EQ(q.next_due(), 1ms);
    EXPECT_EQ(q.pop(1ms - 1ns), nullptr);
    for (std::size_t i = 0; i < nodes.size(); ++i) ASSERT_EQ(q.pop(1ms + ns{static_cast<ns::rep>(i)}), &nodes[i]);
    EXPECT_TRUE(q.empty());
    EXPECT_EQ(q.next_due(), ns::max());
}

TEST(TimerQueue, TheEarliestOfManyDurationsIsFirst) {
    timer_queue q;
    timer_node a, b, c;
    q.push(a, 30ms, 0ns);
    q.push(b, 10ms, 5ms);
    q.push(c, 20ms, 0ns);
    EXPECT_EQ(q.next_due(), 15ms);
    EXPECT_EQ(q.pop(100ms), &b);
    EXPECT_EQ(q.pop(100ms), &c);
    EXPECT_EQ(q.pop(100ms), &a);
}

TEST(TimerQueue, ASleepWithoutEndNeverWakes) {
    timer_queue q;
    timer_node a;
    q.push(a, ns::max(), 5s);
    EXPECT_EQ(q.next_due(), ns::max());
    EXPECT_EQ(q.pop(ns::max() - 1ns), nullptr);
    q.remove(a);
}

TEST(TimerQueue, AgreesWithASortedListUnderRandomPushesAndRemovals) {
    std::mt19937 random(7);
    timer_queue q;
    std::vector<timer_node> nodes(500);
    std::vector<timer_node*> queued;
    ns now{0};
    for (int step = 0; step < 20'000; ++step) {
        now += ns{static_cast<ns::rep>(random() % 50)};
        timer_node& n = nodes[random() % nodes.size()];
        if (n.lane == nullptr) {
            q.push(n, ns{static_cast<ns::rep>(step % 3 == 0 ? random() % 5000 : 100)}, now);
            queued.push_back(&n);
        } else if (random() % 3 == 0) {
            q.remove(n);
            std::erase(queued, &n);
        }
        while (timer_node* due = q.pop(now)) {
            ASSERT_LE(due->time, now);
            std::erase(queued, due);
        }
        ns earliest = ns::max();
        for (const timer_node* t : queued) earliest = std::min(earliest, t->time);
        ASSERT_EQ(q.next_due(), earliest);
        ASSERT_EQ(q.size(), queued.size());
    }
    for (timer_node* t : queued) q.remove(*t);
}

}  // namespace
}  // namespace headrace::batch
