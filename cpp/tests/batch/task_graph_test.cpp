// The graph on real workers. Nothing sleeps on purpose; where two things must happen at the same time, a latch says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <headrace/batch/task_graph.hpp>
#include <latch>
#include <string>
#include <thread>

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::shared_ptr<exec::thread_pool> pool_of(std::size_t threads) {
    return std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = threads});
}

TEST(TaskGraph, ValuesFlowFromUnitToUnit) {
    task_graph g;
    const auto a = g.submit([] { return 20; });
    const auto b = g.submit([](int x, int y) { return x + y; }, a, 1);
    const auto c =
        g.submit([](const int& x, const std::string& s) { return std::to_string(x) + s; }, b, std::string("!"));
    ASSERT_TRUE(c.wait(10s));
    EXPECT_EQ(c.get(), "21!");
    EXPECT_EQ(c.state(), unit_state::done);
    EXPECT_FALSE(c.why());
}

TEST(TaskGraph, AUnitWithoutAValueIsADependencyOnly) {
    task_graph g;
    std::atomic<int> order{0};
    int first = 0, second = 0;
    const unit<> a = g.submit([&] { first = ++order; });
    const unit<> b = g.submit([&] { second = ++order; }, a);
    const unit<int> c = g.submit({.name = "c", .after = {a, b}}, [] { return 1; });
    ASSERT_TRUE(c.wait(10s));
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 2);
}

TEST(TaskGraph, AnExceptionIsKeptAndReachesDependantsInWords) {
    task_graph g;
    const auto a = g.submit({.name = "load"}, []() -> int { throw std::out_of_range("no user 7"); });
    const auto b = g.submit(
        {.name = "render"}, [](int x) { return x; }, a);
    ASSERT_TRUE(b.wait(10s));
    EXPECT_EQ(a.why().code, errc::user_error);
    EXPECT_THAT(a.why().message, HasSubstr("unit 'load' failed: no user 7"));
    EXPECT_EQ(b.why().code, errc::dependency_failed);
    EXPECT_THAT(b.why().message, HasSubstr("'render' did not run: unit 'load', which it depends on, failed"));
    EXPECT_THROW(std::rethrow_exception(b.thrown()), std::out_of_range);
}

TEST(TaskGraph, AFunctionMayReturnAFailure) {
    task_graph g;
    const unit<> a = g.submit([] { return failure::of(errc::not_found, "user 7"); });
    const unit<> b = g.submit([] { return failure{}; });
    ASSERT_TRUE(a.wait(10s) && b.wait(10s));
    EXPECT_EQ(a.why().code, errc::not_found);
    EXPECT_EQ(b.state(), unit_state::done);
}

TEST(TaskGraph, ADelayNeverEndsEarly) {
    task_graph g;
    const ns start = monotonic_now();
    const auto a = g.delay(2ms);
    const auto b = g.delay(3ms, std::vector<node_ref>{a});
    ASSERT_TRUE(b.wait(10s));
    EXPECT_GE(monotonic_now() - start, 5ms);
}

TEST(TaskGraph, TenThousandSleepersNeedNoThread) {
    task_graph g({}, pool_of(1));
    std::vector<node_ref> sleepers;
    for (int i = 0; i < 10'000; ++i) sleepers.push_back(g.delay(5ms));
    const auto all = g.delay(0ns, sleepers);
    ASSERT_TRUE(all.wait(10s));
    EXPECT_EQ(g.counts().done, 10'001U);
    EXPECT_EQ(g.core().pool().stats().submitted, 0U);
}

TEST(TaskGraph, ABulkMayDependOnItself) {
    task_graph g;
    graph_bulk bulk(g);
    const auto a = bulk.submit([] { return 1; });
    const auto b = bulk.submit([](int x) { return x + 1; }, a);
    EXPECT_EQ(g.counts().added, 0U);
    EXPECT_FALSE(a.decided());
    bulk.publish();
    ASSERT_TRUE(b.wait(10s));
    EXPECT_EQ(b.get(), 2);
}

TEST(TaskGraph, CancelReachesWhatWaitsAndDropsTheResultOfWhatRuns) {
    task_graph g({}, pool_of(1));
    std::latch running(1), let_go(1);
    const auto a = g.submit([&] {
        running.count_down();
        let_go.wait();
        return 1;
    });
    const auto b = g.submit([](int x) { return x; }, a);
    running.wait();
    EXPECT_TRUE(g.cancel(a));
    EXPECT_FALSE(g.cancel(a));
    EXPECT_EQ(a.state(), unit_state::cancelled);
    EXPECT_EQ(b.state(), unit_state::cancelled);
    EXPECT_EQ(b.why().code, errc::cancelled);
    EXPECT_FALSE(g.wait(1ms)) << "the body is alive";
    let_go.count_down();
    EXPECT_TRUE(g.wait(10s));
}

TEST(TaskGraph, CyclesAreRefusedByName) {
    task_graph g;
    const auto gate = g.delay(1h);
    const auto a = g.submit({.name = "a", .after = {gate}}, [] {});
    const auto b = g.submit({.name = "b", .after = {a}}, [] {});
    EXPECT_THAT(g.depend(a, b).message, HasSubstr("'a' would wait for 'b', which waits for 'a'"));
    EXPECT_FALSE(g.depend(b, gate));
}

TEST(TaskGraph, UnitsOfAnotherGraphAreRefused) {
    task_graph g, other;
    const auto a = other.submit([] { return 1; });
    const auto b = g.submit([](int x) { return x; }, a);
    EXPECT_EQ(b.state(), unit_state::failed);
    EXPECT_THAT(b.why().message, HasSubstr("its own graph"));
    EXPECT_FALSE(g.cancel(a));
}

TEST(TaskGraph, MoreUnitsThanAllowedAreRefused) {
    task_graph g({.max_units = 2});
    const auto a = g.delay(1h);
    const auto b = g.delay(1h);
    const auto c = g.delay(0ns);
    EXPECT_EQ(c.why().code, errc::queue_full);
    EXPECT_TRUE(g.cancel(a));
    const auto d = g.delay(0ns);
    EXPECT_TRUE(d.wait(10s));
    EXPECT_EQ(d.state(), unit_state::done);
    EXPECT_EQ(b.state(), unit_state::pending);
}

TEST(TaskGraph, ABodyThatBlocksDoesNotHoldUpTheOthers) {
    task_graph g({.eager_workers = 1}, pool_of(4));
    std::latch all_running(4);  // opens only when four bodies run at the same time
    std::vector<unit<>> units;
    for (int i = 0; i < 4; ++i) units.push_back(g.submit([&] { all_running.arrive_and_wait(); }));
    for (const auto& u : units) EXPECT_TRUE(u.wait(10s));
}

TEST(TaskGraph, TheConcurrencyLimitHolds) {
    task_graph g({.concurrency = 2}, pool_of(8));
    std::atomic<int> now{0}, most{0};
    for (int i = 0; i < 200; ++i) {
        g.submit([&] {
            const int n = ++now;
            for (int m = most; n > m && !most.compare_exchange_weak(m, n);) {
            }
            std::this_thread::yield();
            --now;
        });
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_LE(most, 2);
}

TEST(TaskGraph, ABodyMayAddUnits) {
    task_graph g;
    std::atomic<int> leaves{0};
    std::function<void(int)> grow = [&](int depth) {
        if (depth == 0) {
            ++leaves;
            return;
        }
        for (int i = 0; i < 3; ++i) g.submit(grow, depth - 1);
    };
    g.submit(grow, 5);
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(leaves, 243);
}

TEST(TaskGraph, DrainFinishesWhatWasAddedAndRefusesMore) {
    task_graph g;
    const auto a = g.delay(2ms);
    const auto b = g.submit([] { return 1; });
    EXPECT_TRUE(g.shutdown(stop_mode::drain, 10s));
    EXPECT_EQ(a.state(), unit_state::done);
    EXPECT_EQ(b.state(), unit_state::done);
    const auto c = g.submit([] { return 1; });
    EXPECT_EQ(c.why().code, errc::closed);
}

TEST(TaskGraph, TheDestructorCancelsAndHandlesKeepTheirValues) {
    unit<int> done;
    unit<> waiting;
    {
        task_graph g;
        done = g.submit([] { return 5; });
        waiting = g.delay(1h);
        ASSERT_TRUE(done.wait(10s));
    }
    EXPECT_EQ(done.get(), 5);
    EXPECT_EQ(waiting.state(), unit_state::cancelled);
}

TEST(TaskGraph, APoolThatWasStoppedCancelsTheGraph) {
    auto pool = pool_of(1);
    task_graph g({}, pool);
    ASSERT_TRUE(pool->shutdown(stop_mode::cancel, 10s));
    const auto a = g.submit([] { return 1; });
    ASSERT_TRUE(a.wait(10s));
    EXPECT_EQ(a.state(), unit_state::cancelled);
}

TEST(TaskGraph, BodiesThatBlockGiveTheirPlacesToOthers) {
    task_graph g({.concurrency = 1}, pool_of(1));
    std::function<int(int)> depth = [&](int left) {
        if (left == 0) return 0;
        const auto below = g.submit([&depth, left] { return depth(left - 1); });
        const exec::thread_pool::blocking_scope place;
        g.core().block(1);
        const bool decided = below.wait(10s);
        g.core().block(-1);
        return decided ? 1 + below.get() : -1000;
    };
    const auto a = g.submit([&depth] { return depth(30); });
    const auto b = g.submit([&depth] { return depth(30); });
    ASSERT_TRUE(a.wait(20s));
    ASSERT_TRUE(b.wait(20s));
    EXPECT_EQ(a.get() + b.get(), 60);
    EXPECT_EQ(g.core().pool().stats().blocked, 0U);
}

}  // namespace
}  // namespace headrace::batch
