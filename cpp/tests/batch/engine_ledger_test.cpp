// Every waiter completes exactly once, whatever happens at the same time: producers, cancels, deadlines, errors, keys.
#include <gtest/gtest.h>

#include "ledger.hpp"

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

ledger_counts run_plain(ledger_plan plan) {
    const ledger_counts counts = run_ledger(plan);
    EXPECT_EQ(counts.submitted, plan.items);
    EXPECT_EQ(counts.completed, plan.items) << "a waiter hangs";
    EXPECT_EQ(counts.twice, 0U) << "a waiter completed twice";
    EXPECT_EQ(counts.wrong, 0U) << "an answer belongs to another request";
    EXPECT_EQ(counts.unreleased, 0U) << "an item whose batch is over was never given back";
    return counts;
}

TEST(EngineLedger, EveryWaiterCompletesOnceUnderCancelsErrorsAndDeadlines) {
    const auto counts = run_plain({.items = 100'000});
    EXPECT_GT(counts.done, 0U);
    EXPECT_GT(counts.cancelled, 0U);
    EXPECT_GT(counts.failed, 0U);
}

TEST(EngineLedger, WithKeysAndACache) {
    const auto counts = run_plain({.items = 100'000, .keys = 200, .options = {.cache_size = 50, .cache_ttl = 1ms}});
    EXPECT_GT(counts.stats.dedupe_hits, 0U);
    EXPECT_GT(counts.stats.cache_hits, 0U);
}

TEST(EngineLedger, WithASmallQueueThatRejects) {
    const auto counts =
        run_plain({.items = 100'000, .options = {.max_queue_size = 64, .on_full = full_policy::reject}});
    EXPECT_EQ(counts.refused, counts.stats.rejected);
}

TEST(EngineLedger, WithASmallQueueThatDropsTheOldest) {
    const auto counts = run_plain(
        {.items = 100'000, .keys = 5000, .options = {.max_queue_size = 64, .on_full = full_policy::drop_oldest}});
    EXPECT_EQ(counts.refused, counts.stats.dropped);
}

TEST(EngineLedger, WithSpinningWorkersAndAGrowingLimit) {
    run_plain({.items = 100'000, .options = {.max_batch_size = 16, .max_concurrent_batches = 4, .spin = 5us}});
}

TEST(EngineLedger, WithABatchFunctionOnOtherThreads) {
    run_plain({.items = 50'000, .keys = 1000, .asynchronous = true, .options = {.max_concurrent_batches = 3}});
}

TEST(EngineLedger, WithAShutdownInTheMiddle) {
    for (const auto mode : {stop_mode::drain, stop_mode::cancel}) {
        run_plain({.items = 50'000, .keys = 100, .stop_after = 20'000, .stop = mode});
    }
}

}  // namespace
}  // namespace headrace::batch
