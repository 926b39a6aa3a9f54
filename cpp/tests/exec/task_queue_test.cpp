#include <headrace/exec/task_queue.hpp>

#include <gtest/gtest.h>

#include <array>

#include "scripted_task.hpp"

namespace headrace::exec {
namespace {

using namespace std::chrono_literals;

TEST(TaskQueue, IsFirstInFirstOut) {
    std::array<scripted_task, 3> t;
    task_queue q;
    for (auto& each : t) q.push(each, ns::max());
    EXPECT_EQ(q.size(), 3U);
    for (auto& each : t) EXPECT_EQ(q.pop(), &each);
    EXPECT_EQ(q.pop(), nullptr);
}

TEST(TaskQueue, TakesOutOfTheMiddleAndTheEnds) {
    std::array<scripted_task, 4> t;
    task_queue q;
    for (auto& each : t) q.push(each, ns::max());
    q.remove(t[1]);
    q.remove(t[3]);
    EXPECT_FALSE(q.holds(t[1]));
    EXPECT_TRUE(q.holds(t[2]));
    q.remove(t[0]);
    q.push(t[1], ns::max());
    EXPECT_EQ(q.pop(), &t[2]);
    EXPECT_EQ(q.pop(), &t[1]);
    EXPECT_TRUE(q.empty());
}

TEST(TaskQueue, TakesTheExpiredInOrderAndKeepsTheEarliestDeadlineOfTheRest) {
    std::array<scripted_task, 4> t;
    task_queue q;
    q.push(t[0], 10ns);
    q.push(t[1], 30ns);
    q.push(t[2], 20ns);
    q.push(t[3], ns::max());
    EXPECT_EQ(q.earliest_deadline(), 10ns);
    task* expired = q.take_expired(20ns);
    EXPECT_EQ(expired, &t[0]);
    EXPECT_EQ(expired->next, &t[2]);
    EXPECT_EQ(expired->next->next, nullptr);
    EXPECT_EQ(q.earliest_deadline(), 30ns);
    EXPECT_EQ(q.take_expired(20ns), nullptr);
    EXPECT_EQ(q.pop(), &t[1]);
    EXPECT_EQ(q.pop(), &t[3]);
    EXPECT_EQ(q.earliest_deadline(), ns::max());
}

}  // namespace
}  // namespace headrace::exec
