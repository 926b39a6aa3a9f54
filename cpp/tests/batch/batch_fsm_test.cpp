#include <headrace/batch/batch_fsm.hpp>

#include <gtest/gtest.h>

#include "script.hpp"

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

constexpr ns never = ns::max();

TEST(BatchFsm, NaturalBatchingTakesWhatIsThereWhenAPlaceIsFree) {
    script s;
    s.add("a", 0ns);
    EXPECT_EQ(s.take(0ns), "idle: a");
    s.add("b", 1ns);
    s.add("c", 2ns);
    EXPECT_EQ(s.take(2ns), "") << "one batch at a time";
    s.end(10ns);
    EXPECT_EQ(s.take(10ns), "idle: b c");
    s.end(11ns);
    EXPECT_EQ(s.told(), "a:done b:done c:done");
    EXPECT_EQ(s.take(12ns), "");
}

TEST(BatchFsm, ABatchIsNeverLargerThanItsMaximum) {
    script s({.max_batch_size = 2, .max_concurrent_batches = 1});
    for (const char* name : {"a", "b", "c"}) s.add(name, 0ns);
    EXPECT_EQ(s.take(0ns), "size: a b");
    s.end(1ns);
    EXPECT_EQ(s.take(1ns), "idle: c");
}

TEST(BatchFsm, AWindowCountsFromTheFirstWaitingItem) {
    script s({.max_batch_size = 3, .batch_wait_timeout = 10us});
    s.add("a", 100us);
    EXPECT_EQ(s.take(109us), "");
    EXPECT_EQ(s.fsm.next(109us).at, 110us);
    s.add("b", 109us);
    EXPECT_EQ(s.take(110us), "timeout: a b");
    s.end(111us);
    s.add("c", 115us);
    EXPECT_EQ(s.take(116us), "");
    s.add("d", 116us);
    s.add("e", 117us);
    EXPECT_EQ(s.take(117us), "size: c d e") << "a full batch does not wait for its window";
}

TEST(BatchFsm, WeightBoundsABatchAndOneThatIsTooHeavyAloneIsRefused) {
    script s({.max_batch_weight = 4});
    s.add("a", 0ns, 0, never, 0, 3);
    s.add("b", 0ns, 0, never, 0, 2);
    s.add("c", 0ns, 0, never, 0, 2);
    s.add("x", 0ns, 0, never, 0, 5);
    EXPECT_EQ(s.told(), "x:too_heavy");
    EXPECT_EQ(s.take(0ns), "size: a");
    s.end(1ns);
    EXPECT_EQ(s.take(1ns), "size: b c");
}

TEST(BatchFsm, HigherPrioritiesGoFirstAndEachIsFirstComeFirstServed) {
    script s({.max_batch_size = 3});
    s.add("a", 0ns, 0, never, 0);
    s.add("b", 0ns, 0, never, 5);
    s.add("c", 0ns, 0, never, -1);
    s.add("d", 0ns, 0, never, 5);
    EXPECT_EQ(s.take(0ns), "size: b d a");
}

TEST(BatchFsm, ACancelledItemLeavesTheQueueAndARunningOneOnlyItsWaiter) {
    script s;
    auto& a = s.add("a", 0ns);
    auto& b = s.add("b", 0ns);
    s.cancel(a);
    EXPECT_EQ(s.told(), "a:cancelled");
    EXPECT_EQ(s.fsm.waiting(), 1U);
    EXPECT_EQ(s.take(0ns), "idle: b");
    s.cancel(b);
    EXPECT_EQ(s.told(), "b:cancelled");
    EXPECT_FALSE(b.drop()) << "its batch still runs";
    s.end(1ns);
    EXPECT_EQ(s.told(), "");
    s.cancel(b);
    EXPECT_EQ(s.told(), "") << "decided once";
}

TEST(BatchFsm, ExpiredItemsAreSweptWhenABatchForms) {
    script s;
    s.add("a", 0ns, 0, 5ns);
    s.add("b", 0ns, 0, 50ns);
    EXPECT_EQ(s.take(10ns), "idle: b");
    EXPECT_EQ(s.told(), "a:timed_out");
}

TEST(BatchFsm, ASweepFreesTheWaitersOfABatchThatNeverReturns) {
    script s;
    s.add("a", 0ns, 0, 5ms);
    s.take(0ns);
    s.add("b", 1ms, 0, 6ms);
    s.add("c", 1ms);
    EXPECT_EQ(s.fsm.next_deadline(), 5ms);
    s.fsm.sweep(5ms, s.out);
    EXPECT_EQ(s.told(), "a:timed_out");
    EXPECT_EQ(s.fsm.next_deadline(), 6ms);
    s.fsm.sweep(6ms, s.out);
    EXPECT_EQ(s.told(), "b:timed_out");
    EXPECT_EQ(s.fsm.next_deadline(), never);
    EXPECT_EQ(s.fsm.waiting(), 1U);
    batch_stats stats;
    s.fsm.read_stats(6ms, stats);
    EXPECT_EQ(stats.counters.timed_out, 2U);
    EXPECT_EQ(stats.running_batches, 1U);
}

TEST(BatchFsm, WaitersOfOneKeyShareOneCall) {
    script s;
    s.add("a", 0ns, 7);
    s.add("b", 0ns, 7);
    EXPECT_EQ(s.take(0ns), "idle: a");
    s.add("c", 1ns, 7);
    EXPECT_EQ(s.take(1ns), "") << "it joined the running one";
    s.end(2ns);
    EXPECT_EQ(s.told(), "a:done b:done c:done");
    s.add("d", 3ns, 7);
    EXPECT_EQ(s.take(3ns), "idle: d") << "the key is no longer in flight";
    EXPECT_EQ(s.fsm.waiting(), 0U);
}

TEST(BatchFsm, OneWaitersCancelNeverTouchesAnother) {
    script s;
    auto& a = s.add("a", 0ns, 7);
    auto& b = s.add("b", 0ns, 7);
    auto& c = s.add("c", 0ns, 7);
    s.cancel(a);
    EXPECT_EQ(s.told(), "a:cancelled");
    EXPECT_EQ(s.take(0ns), "idle: b") << "the next waiter leads";
    s.cancel(c);
    EXPECT_EQ(s.told(), "c:cancelled");
    s.cancel(b);
    EXPECT_EQ(s.told(), "b:cancelled");
    s.end(1ns);
    EXPECT_EQ(s.told(), "");
}

TEST(BatchFsm, OnlyTheLastWaitersCancelRemovesTheCall) {
    script s;
    auto& a = s.add("a", 0ns, 7);
    auto& b = s.add("b", 0ns, 7);
    s.cancel(b);
    s.cancel(a);
    EXPECT_EQ(s.told(), "a:cancelled b:cancelled");
    EXPECT_EQ(s.take(0ns), "");
    s.add("c", 1ns, 7);
    EXPECT_EQ(s.take(1ns), "idle: c");
}

TEST(BatchFsm, AFollowersResultOutlivesTheLeadersWaiter) {
    script s;
    auto& a = s.add("a", 0ns, 7);
    s.add("b", 0ns, 7);
    s.take(0ns);
    s.cancel(a);
    EXPECT_EQ(s.told(), "a:cancelled");
    s.end(1ns);
    EXPECT_EQ(s.told(), "b:done");
}

TEST(BatchFsm, WaitersOfOneKeyKeepTheirOwnDeadlines) {
    script s;
    s.add("a", 0ns, 7, 5ms);
    s.add("b", 0ns, 7, 6ms);
    s.add("c", 0ns, 7);
    s.fsm.sweep(5ms, s.out);
    EXPECT_EQ(s.told(), "a:timed_out");
    EXPECT_EQ(s.take(5ms), "idle: b");
    s.fsm.sweep(6ms, s.out);
    EXPECT_EQ(s.told(), "b:timed_out");
    s.end(7ms);
    EXPECT_EQ(s.told(), "c:done");
}

TEST(BatchFsm, AnUrgentDuplicateHurriesTheCall) {
    script s({.max_batch_size = 1});
    s.add("a", 0ns);
    s.add("b", 0ns, 7);
    s.add("c", 0ns, 7, never, 3);
    EXPECT_EQ(s.take(0ns), "size: b");
    s.end(1ns);
}

TEST(BatchFsm, HeldItemsLeaveAtQuiescence) {
    script s;
    s.add("a", 0ns, 0, never, 0, 1, true);
    s.add("b", 0ns, 0, never, 0, 1, true);
    EXPECT_EQ(s.take(0ns), "");
    s.fsm.flush();
    EXPECT_EQ(s.take(0ns), "quiescent: a b");
    s.end(1ns);
    s.add("c", 1ns, 0, never, 0, 1, true);
    EXPECT_EQ(s.take(1ns), "") << "a flush concerns what waited then";
    s.add("d", 2ns);
    EXPECT_EQ(s.take(2ns), "idle: c d") << "an item that is not held takes them along";
}

TEST(BatchFsm, AFlushGoesOnUntilEverythingItSawHasLeft) {
    script s({.max_batch_size = 2});
    for (const char* name : {"a", "b", "c"}) s.add(name, 0ns, 0, never, 0, 1, true);
    s.fsm.flush();
    EXPECT_EQ(s.take(0ns), "size: a b");
    s.end(1ns);
    EXPECT_EQ(s.take(1ns), "quiescent: c");
}

TEST(BatchFsm, AFlushEndsTheWindowOfWhatWaits) {
    script s({.batch_wait_timeout = 1s});
    s.add("a", 0ns);
    EXPECT_EQ(s.take(0ns), "");
    s.fsm.flush();
    EXPECT_EQ(s.take(0ns), "quiescent: a");
}

TEST(BatchFsm, TokensAreTakenByBatch) {
    script s({.max_concurrent_batches = 1, .rate_limit = {.rate = 1000, .burst = 1}});
    s.add("a", 0ns);
    EXPECT_EQ(s.take(0ns), "idle: a");
    s.end(1us);
    s.add("b", 1us);
    s.add("c", 2us);
    EXPECT_EQ(s.take(2us), "");
    EXPECT_EQ(s.fsm.next(2us).at, 1ms);
    EXPECT_FALSE(s.fsm.next(2us).wants_arrivals) << "more items do not make tokens";
    EXPECT_EQ(s.take(1ms), "idle: b c") << "short of tokens, batches grow";
}

TEST(BatchFsm, TokensAreTakenByItem) {
    script s({.rate_limit = {.rate = 1000, .burst = 2, .per_item = true}});
    for (const char* name : {"a", "b", "c"}) s.add(name, 0ns);
    EXPECT_EQ(s.take(0ns), "idle: a b");
    s.end(0ns);
    EXPECT_EQ(s.take(999us), "");
    EXPECT_EQ(s.take(1ms), "idle: c");
}

TEST(BatchFsm, DropOldestMakesRoomFromTheLowestPriority) {
    script s({.max_queue_size = 2, .on_full = full_policy::drop_oldest});
    s.add("a", 0ns, 0, never, 1);
    s.add("b", 0ns);
    s.add("c", 0ns);
    EXPECT_EQ(s.told(), "b:dropped");
    s.add("d", 0ns, 0, never, 1);
    EXPECT_EQ(s.told(), "c:dropped");
    EXPECT_EQ(s.take(0ns), "idle: a d");
}

TEST(BatchFsm, DropOldestCountsThoseWhoFollowARunningKey) {
    script s({.max_queue_size = 1, .on_full = full_policy::drop_oldest});
    s.add("a", 0ns, 7);
    s.take(0ns);
    s.add("b", 0ns, 7);
    s.add("c", 0ns, 7);
    EXPECT_EQ(s.told(), "b:dropped");
    s.end(1ns);
    EXPECT_EQ(s.told(), "a:done c:done");
}

TEST(BatchFsm, ADrainIgnoresTheWindowAndWhatIsHeld) {
    script s({.batch_wait_timeout = 1s});
    s.add("a", 0ns);
    s.add("b", 0ns, 0, never, 0, 1, true);
    s.fsm.close(stop_mode::drain, s.out);
    EXPECT_FALSE(s.fsm.finished());
    EXPECT_EQ(s.take(0ns), "drain: a b");
    EXPECT_FALSE(s.fsm.finished());
    s.end(1ns);
    EXPECT_TRUE(s.fsm.finished());
}

TEST(BatchFsm, ClosingWithCancelFreesEveryWaiterButLetsBatchesEnd) {
    script s;
    s.add("a", 0ns, 7);
    s.take(0ns);
    s.add("b", 0ns, 7);
    s.add("c", 0ns, 8);
    s.add("d", 0ns, 8);
    s.fsm.close(stop_mode::cancel, s.out);
    EXPECT_EQ(s.told(), "b:cancelled c:cancelled d:cancelled");
    s.end(1ns);
    EXPECT_EQ(s.told(), "a:done");
    EXPECT_TRUE(s.fsm.finished());
}

TEST(BatchFsm, AKeptResultAnswersAtOnceUntilItIsTooOld) {
    script s({.cache_size = 2, .cache_ttl = 10ns});
    const auto kept = std::make_shared<named_item>("kept");
    kept->key = 7;
    s.fsm.prime(kept, 0ns);
    s.add("a", 9ns, 7);
    EXPECT_EQ(s.told(), "a:done");
    s.add("b", 10ns, 7);
    EXPECT_EQ(s.take(10ns), "idle: b");
    EXPECT_TRUE(s.fsm.next(10ns).wants_arrivals) << "a cached answer does not wait for the batch that runs";
}

TEST(BatchFsm, TheCacheForgetsWhatWasUsedLeastRecently) {
    script s({.cache_size = 2});
    for (std::uint64_t key : {1, 2}) {
        const auto kept = std::make_shared<named_item>();
        kept->key = key;
        s.fsm.prime(kept, 0ns);
    }
    s.add("a", 1ns, 1);
    const auto third = std::make_shared<named_item>();
    third->key = 3;
    s.fsm.prime(third, 2ns);
    s.add("b", 3ns, 1);
    s.add("c", 3ns, 2);
    EXPECT_EQ(s.told(), "a:done b:done");
    EXPECT_EQ(s.take(3ns), "idle: c");
    s.fsm.forget(1);
    s.add("d", 4ns, 1);
    EXPECT_EQ(s.told(), "");
}

TEST(BatchFsm, SettingsChangeWhileItRuns) {
    script s({.max_batch_size = 1, .batch_wait_timeout = 1s});
    s.add("a", 0ns);
    s.add("b", 0ns);
    auto options = s.fsm.options();
    options.max_batch_size = 5;
    options.batch_wait_timeout = 0ns;
    s.fsm.configure(options, 0ns);
    EXPECT_EQ(s.take(0ns), "idle: a b");
}

}  // namespace
}  // namespace headrace::batch
