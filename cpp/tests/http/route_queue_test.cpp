#include <gtest/gtest.h>

#include <headrace/http/route_queue.hpp>

namespace headrace::http {
namespace {

using namespace std::chrono_literals;
using admission = route_queue::admission;
using outcome = route_queue::outcome;

admission admit(route_queue& q, route_entry& e, ns now = 0s) {
    route_entry* dropped = nullptr;
    const auto answer = q.admit(e, now, dropped);
    EXPECT_EQ(dropped, nullptr);
    return answer;
}

TEST(RouteQueue, StartsUpToConcurrencyThenQueuesThenRefuses) {
    route_queue q({.concurrency = 2, .max_queue_size = 1});
    route_entry a, b, c, d;
    EXPECT_EQ(admit(q, a), admission::start);
    EXPECT_EQ(admit(q, b), admission::start);
    EXPECT_EQ(admit(q, c), admission::wait);
    EXPECT_EQ(admit(q, d), admission::refuse);
    EXPECT_EQ(q.take_next(), nullptr);
    EXPECT_TRUE(q.begin(a, 0s));
    EXPECT_TRUE(q.finish(a, outcome::good, 1s));
    EXPECT_EQ(q.take_next(), &c);
    EXPECT_EQ(q.take_next(), nullptr);
    const auto& n = q.counters();
    EXPECT_EQ(n.requests, 4U);
    EXPECT_EQ(n.replied, 1U);
    EXPECT_EQ(n.finished, 1U);
    EXPECT_EQ(n.refused, 1U);
    EXPECT_EQ(n.running, 2U);
    EXPECT_EQ(n.waiting, 0U);
}

TEST(RouteQueue, ANewcomerDoesNotPassThoseWhoWait) {
    route_queue q({.concurrency = 1});
    route_entry a, b, c;
    EXPECT_EQ(admit(q, a), admission::start);
    EXPECT_EQ(admit(q, b), admission::wait);
    q.begin(a, 0s);
    q.finish(a, outcome::good, 0s);
    EXPECT_EQ(admit(q, c), admission::wait);
    EXPECT_EQ(q.take_next(), &b);
}

TEST(RouteQueue, DropsTheOldestWhenAskedTo) {
    route_queue q({.concurrency = 1, .max_queue_size = 1, .on_full = full_policy::drop_oldest});
    route_entry a, b, c, *dropped = nullptr;
    admit(q, a);
    admit(q, b);
    EXPECT_EQ(q.admit(c, 0s, dropped), admission::wait);
    EXPECT_EQ(dropped, &b);
    EXPECT_EQ(q.counters().refused, 1U);
    EXPECT_EQ(q.counters().waiting, 1U);
}

TEST(RouteQueue, PromisedWorkIsNotDroppedForARequest) {
    route_queue q({.concurrency = 1, .max_queue_size = 1, .on_full = full_policy::drop_oldest});
    route_entry a, promised, c;
    promised.detached = true;
    admit(q, a);
    EXPECT_EQ(admit(q, promised), admission::wait);
    EXPECT_EQ(admit(q, c), admission::refuse);
}

TEST(RouteQueue, ADeadlineAnswersWhatWaitsAndWhatRuns) {
    route_queue q({.concurrency = 1, .deadline = 5s});
    route_entry a, b, c;
    admit(q, a, 0s);
    admit(q, b, 1s);
    admit(q, c, 9s);
    EXPECT_TRUE(q.begin(a, 0s));
    EXPECT_EQ(q.next_deadline(), 5s);
    EXPECT_TRUE(q.expire(4s).empty());
    const auto late = q.expire(6s);
    ASSERT_EQ(late.size(), 2U);
    EXPECT_EQ(late[0].entry, &b);
    EXPECT_FALSE(late[0].stop);
    EXPECT_EQ(late[1].entry, &a);
    EXPECT_TRUE(late[1].stop);
    EXPECT_EQ(q.next_deadline(), 14s);
    // The handler goes on and keeps its place; its answer is not sent, and its end is counted.
    EXPECT_EQ(q.take_next(), nullptr);
    EXPECT_FALSE(q.finish(a, outcome::good, 8s));
    EXPECT_EQ(q.take_next(), &c);
    EXPECT_EQ(q.counters().timed_out, 2U);
    EXPECT_EQ(q.counters().finished, 1U);
    EXPECT_EQ(q.counters().replied, 0U);
}

TEST(RouteQueue, WhatWasAnsweredBeforeItBeganIsNotRun) {
    route_queue q({.concurrency = 1, .deadline = 1s});
    route_entry a, b;
    admit(q, a);
    admit(q, b, 3s);
    EXPECT_EQ(q.expire(2s).size(), 1U);
    EXPECT_FALSE(q.begin(a, 2s));
    EXPECT_EQ(q.take_next(), &b);
    EXPECT_EQ(q.counters().finished, 0U);
}

TEST(RouteQueue, AClientThatLeavesIsDroppedWhileItWaitsAndToldWhileItRuns) {
    route_queue q({.concurrency = 1});
    route_entry a, b;
    admit(q, a);
    admit(q, b);
    q.begin(a, 0s);
    EXPECT_EQ(q.cancel(b), route_queue::cancelled::dropped);
    EXPECT_EQ(q.cancel(b), route_queue::cancelled::nothing);
    EXPECT_EQ(q.cancel(a), route_queue::cancelled::stop);
    EXPECT_FALSE(q.finish(a, outcome::good, 0s));
    EXPECT_EQ(q.cancel(a), route_queue::cancelled::nothing);
    EXPECT_EQ(q.counters().cancelled, 2U);
    EXPECT_EQ(q.counters().finished, 1U);
    EXPECT_TRUE(q.idle());
}

TEST(RouteQueue, AStreamClaimsItsAnswerBeforeItEnds) {
    route_queue q({.concurrency = 1, .deadline = 1s});
    route_entry a;
    admit(q, a);
    q.begin(a, 0s);
    EXPECT_TRUE(q.claim_answer(a));
    EXPECT_TRUE(q.expire(9s).empty());
    EXPECT_FALSE(q.finish(a, outcome::good, 9s));
    EXPECT_EQ(q.counters().replied, 1U);
    EXPECT_EQ(q.counters().timed_out, 0U);
}

TEST(RouteQueue, EveryWayToEndIsCountedOnce) {
    route_queue q({.concurrency = 5});
    route_entry all[5];
    const outcome ways[5] = {outcome::good, outcome::raised, outcome::lost, outcome::late, outcome::refused};
    for (auto& e : all) admit(q, e);
    for (int i = 0; i < 5; ++i) {
        q.begin(all[i], 0s);
        EXPECT_TRUE(q.finish(all[i], ways[i], 0s));
    }
    const auto& n = q.counters();
    EXPECT_EQ(n.replied, 2U);
    EXPECT_EQ(n.failed, 1U);
    EXPECT_EQ(n.lost, 1U);
    EXPECT_EQ(n.timed_out, 1U);
    EXPECT_EQ(n.refused, 1U);
    EXPECT_EQ(n.requests, n.replied + n.lost + n.timed_out + n.refused);
}

TEST(RouteQueue, DetachedWorkIsCountedApartAndHasNoDeadline) {
    route_queue q({.concurrency = 1, .deadline = 1s});
    route_entry a;
    a.detached = true;
    EXPECT_EQ(admit(q, a), admission::start);
    EXPECT_TRUE(q.begin(a, 0s));
    EXPECT_TRUE(q.expire(1h).empty());
    EXPECT_FALSE(q.finish(a, outcome::good, 1h));
    EXPECT_EQ(q.counters().requests, 0U);
    EXPECT_EQ(q.counters().finished, 0U);
    EXPECT_EQ(q.counters().detached, 1U);
    EXPECT_EQ(q.counters().detached_finished, 1U);
}

TEST(RouteQueue, RetryAfterIsQueueTimesMeanTimeByConcurrency) {
    route_queue q({.concurrency = 2, .max_queue_size = 10});
    EXPECT_EQ(q.retry_after(), 1U);
    route_entry first, all[8];
    admit(q, first);
    q.begin(first, 0s);
    q.finish(first, outcome::good, 3s);
    for (auto& e : all) admit(q, e, 3s);  // 2 run, 6 wait
    EXPECT_EQ(q.retry_after(), 11U);      // 7 turns of 3 s on two places
}

TEST(RouteQueue, ClosedRefusesAndGivesUpWhatWaits) {
    route_queue q({.concurrency = 1});
    route_entry a, b, c;
    admit(q, a);
    admit(q, b);
    EXPECT_EQ(q.close(), std::vector<route_entry*>{&b});
    EXPECT_EQ(admit(q, c), admission::refuse);
    q.begin(a, 0s);
    EXPECT_TRUE(q.finish(a, outcome::good, 0s));
    EXPECT_TRUE(q.idle());
    EXPECT_EQ(q.counters().refused, 2U);
}

}  // namespace
}  // namespace headrace::http
