#include <headrace/batch/engine.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <stdexcept>

#include "echo.hpp"

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

/// Calls that outlive the engine under test, and an engine over them.
struct stage {
    explicit stage(const batch_options& options, std::shared_ptr<batch_function> function, std::size_t workers = 1)
        : pool(std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = workers})),
          engine(std::make_unique<batch::engine>(options, std::move(function), pool)) {}

    call& make(int request, std::uint64_t key = 0, ns deadline = ns::max()) {
        call& c = calls.emplace_back();
        c.sink = &sink;
        c.request = request;
        c.key = key;
        c.deadline = deadline;
        return c;
    }
    call& submit(int request, std::uint64_t key = 0, ns deadline = ns::max()) {
        call& c = make(request, key, deadline);
        engine->submit(c);
        return c;
    }
    call& submit_chain(int n) {
        call* first = nullptr;
        call* last = nullptr;
        for (int i = 0; i < n; ++i) {
            call& c = make(i);
            if (first == nullptr) first = &c;
            if (last != nullptr) last->next = &c;
            last = &c;
        }
        last->next = nullptr;
        engine->submit_chain(*first);
        return *last;
    }
    batch_counters counters() const { return engine->stats().counters; }
    void each_once() const {
        for (const call& c : calls) EXPECT_EQ(c.delivered, 1) << "request " << c.request;
    }

    counting_sink sink;
    std::deque<call> calls;
    std::shared_ptr<exec::thread_pool> pool;
    std::unique_ptr<batch::engine> engine;
};

TEST(Engine, AnswersEveryCallOnce) {
    stage s({}, std::make_shared<echo>());
    for (int i = 0; i < 1000; ++i) s.submit(i);
    for (const call& c : s.calls) {
        c.wait();
        EXPECT_EQ(c.result, c.request);
        EXPECT_FALSE(c.item::error());
    }
    s.each_once();
}

TEST(Engine, WhatArrivesWhileABatchRunsFormsTheNextOne) {
    blocked_function blocked;
    stage s({}, blocked.function);
    call& first = s.submit(0);
    blocked.begun.wait();
    for (int i = 1; i <= 50; ++i) s.submit(i);
    blocked.open.count_down();
    s.calls.back().wait();
    first.wait();
    const auto stats = s.engine->stats();
    EXPECT_EQ(stats.counters.batches, 2U);
    EXPECT_EQ(stats.sizes.max(), 50);
    EXPECT_EQ(stats.wait.count(), 51U);
}

TEST(Engine, AChainIsOneBatchAndOneDelivery) {
    stage s({}, std::make_shared<echo>());
    s.submit_chain(64).wait();
    EXPECT_EQ(s.counters().batches, 1U);
    EXPECT_EQ(s.sink.deliveries, 1U);
    EXPECT_EQ(s.sink.items, 64U);
}

TEST(Engine, UsesOneWorkerPerBatchUpToTheLimit) {
    std::atomic<int> inside{0};
    std::latch open{1};
    const auto function = std::make_shared<echo>([&](echo::items) {
        ++inside;
        open.wait();
    });
    stage s({.max_batch_size = 1, .min_concurrent_batches = 3, .max_concurrent_batches = 3}, function, 4);
    for (int i = 0; i < 5; ++i) s.submit(i);
    while (inside < 3) std::this_thread::yield();
    EXPECT_EQ(s.engine->stats().running_batches, 3U);
    EXPECT_EQ(s.engine->stats().waiting, 2U);
    EXPECT_EQ(s.engine->stats().saturation, 1.0);
    open.count_down();
    for (const call& c : s.calls) c.wait();
}

TEST(Engine, AFunctionThatThrowsFailsItsItemsAndTheNextBatchRuns) {
    std::atomic<int> batches{0};
    stage s({}, std::make_shared<echo>([&](echo::items) {
                if (++batches == 1) throw std::runtime_error("no such table");
                if (batches == 2) throw 42;
            }));
    call& a = s.submit(1);
    a.wait();
    EXPECT_EQ(a.error, "no such table");
    EXPECT_FALSE(a.item::error()) << "the function has decided";
    call& b = s.submit(2);
    b.wait();
    EXPECT_EQ(b.error, "not an exception");
    call& c = s.submit(3);
    c.wait();
    EXPECT_EQ(c.result, 3);
    EXPECT_EQ(s.counters().failed_batches, 2U);
}

TEST(Engine, CancelFreesTheWaiterBeforeDuringAndAfterItsBatch) {
    blocked_function blocked;
    stage s({}, blocked.function);
    call& running = s.submit(1);
    blocked.begun.wait();
    call& waiting = s.submit(2);
    EXPECT_TRUE(s.engine->cancel(waiting));
    EXPECT_EQ(waiting.delivered, 1) << "a cancelled call does not wait for the batch that runs";
    EXPECT_EQ(waiting.state(), item_state::cancelled);
    EXPECT_TRUE(s.engine->cancel(running));
    EXPECT_EQ(running.delivered, 1);
    EXPECT_EQ(running.recycled, 0);
    blocked.open.count_down();
    call& later = s.submit(3);
    later.wait();
    EXPECT_FALSE(s.engine->cancel(later));
    EXPECT_EQ(running.recycled, 1) << "its batch is over";
    EXPECT_EQ(s.counters().cancelled, 2U);
    EXPECT_EQ(s.counters().items, 2U) << "the waiting one never reached the function";
    s.each_once();
}

TEST(Engine, DeadlinesFreeTheWaitersOfAFunctionThatNeverReturns) {
    blocked_function blocked;
    stage s({}, blocked.function);
    call& running = s.submit(1, 0, monotonic_now() + 300ms);  // long enough to begin on a busy machine
    blocked.begun.wait();
    call& waiting = s.submit(2, 0, monotonic_now() + 2ms);
    call& patient = s.submit(3);
    running.wait();
    waiting.wait();
    EXPECT_EQ(running.state(), item_state::timed_out);
    EXPECT_EQ(waiting.state(), item_state::timed_out);
    EXPECT_EQ(patient.delivered, 0);
    EXPECT_EQ(s.counters().timed_out, 2U);
    blocked.open.count_down();
    patient.wait();
    s.each_once();
}

TEST(Engine, AWindowEndsByItself) {
    stage s({.batch_wait_timeout = 1ms}, std::make_shared<echo>());
    const ns start = monotonic_now();
    call& c = s.submit(1);
    c.wait();
    EXPECT_GE(monotonic_now() - start, 1ms);
    EXPECT_EQ(s.counters().dispatched[static_cast<std::size_t>(reason::timeout)], 1U);
}

TEST(Engine, HeldCallsLeaveAtOnceWhenFlushed) {
    stage s({}, std::make_shared<echo>());
    for (int i = 0; i < 10; ++i) {
        call& c = s.make(i);
        c.held = true;
        s.engine->submit(c);
    }
    EXPECT_EQ(s.engine->stats().held, 10U);
    s.engine->flush();
    for (const call& c : s.calls) c.wait();
    EXPECT_EQ(s.counters().dispatched[static_cast<std::size_t>(reason::quiescent)], 1U);
    EXPECT_EQ(s.counters().batches, 1U);
}

TEST(Engine, WaitersOfOneKeyGetOneResultEach) {
    blocked_function blocked;
    stage s({}, blocked.function);
    s.submit(0);
    blocked.begun.wait();
    call& a = s.submit(5, 7);
    call& b = s.submit(5, 7);
    call& c = s.submit(5, 7);
    EXPECT_EQ(s.engine->stats().waiting, 3U);
    EXPECT_TRUE(s.engine->cancel(a));
    blocked.open.count_down();
    b.wait();
    c.wait();
    EXPECT_EQ(b.result, 5);
    EXPECT_EQ(c.result, 5);
    EXPECT_EQ(a.state(), item_state::cancelled);
    EXPECT_EQ(s.counters().items, 2U);
    EXPECT_EQ(s.counters().dedupe_hits, 2U);
}

TEST(Engine, AKeptResultIsAnsweredWhileTheFunctionIsBusy) {
    std::atomic<int> batches{0};
    std::latch busy{1}, open{1};
    stage s({.cache_size = 10}, std::make_shared<echo>([&](echo::items) {
                if (++batches != 2) return;
                busy.count_down();
                open.wait();
            }));
    s.submit(5, 7).wait();
    call& other = s.submit(6, 8);
    busy.wait();
    call& again = s.submit(5, 7);
    again.wait();
    EXPECT_EQ(again.result, 5);
    EXPECT_EQ(other.delivered, 0);
    s.engine->forget_all();
    EXPECT_EQ(s.engine->stats().cached, 0U);
    const auto kept = std::make_shared<call>();
    kept->key = 9;
    kept->result = 99;
    s.engine->prime(kept);
    call& primed = s.submit(1, 9);
    primed.wait();
    EXPECT_EQ(primed.result, 99);
    open.count_down();
    other.wait();
    EXPECT_EQ(s.counters().cache_hits, 2U);
}

TEST(Engine, DrainDoesWhatWaitsAndRefusesTheRest) {
    blocked_function blocked;
    stage s({.batch_wait_timeout = 1h}, blocked.function);
    for (int i = 0; i < 100; ++i) s.submit(i);
    blocked.begun.wait();  // a full batch does not wait for its window
    for (int i = 0; i < 50; ++i) s.submit(i);
    std::promise<void> told;
    s.engine->shutdown(stop_mode::drain, [&] { told.set_value(); });
    EXPECT_FALSE(s.engine->wait_stopped(0ns));
    call& late = s.submit(1);
    EXPECT_EQ(late.delivered, 1);
    EXPECT_EQ(late.state(), item_state::closed);
    EXPECT_EQ(failure_of(late.state(), "users").message, "users: submitted after shutdown");
    blocked.open.count_down();
    EXPECT_TRUE(s.engine->wait_stopped());
    told.get_future().get();
    s.each_once();
    EXPECT_EQ(s.counters().dispatched[static_cast<std::size_t>(reason::drain)], 1U);
    bool again = false;
    s.engine->shutdown(stop_mode::cancel, [&] { again = true; });
    EXPECT_TRUE(again) << "it has stopped already";
}

TEST(Engine, CancelAtShutdownFreesWhatWaitsAndLetsTheBatchEnd) {
    blocked_function blocked;
    stage s({}, blocked.function);
    call& running = s.submit(1);
    blocked.begun.wait();
    call& waiting = s.submit(2);
    s.engine->shutdown(stop_mode::cancel);
    EXPECT_EQ(waiting.state(), item_state::cancelled);
    EXPECT_FALSE(s.engine->wait_stopped(1ms));
    blocked.open.count_down();
    EXPECT_TRUE(s.engine->wait_stopped());
    EXPECT_EQ(running.result, 1);
    s.each_once();
}

TEST(Engine, DroppingItFreesEveryWaiter) {
    blocked_function blocked;
    stage s({}, blocked.function);
    call& running = s.submit(1);
    blocked.begun.wait();
    call& waiting = s.submit(2);
    s.engine.reset();
    EXPECT_EQ(waiting.state(), item_state::cancelled);
    blocked.open.count_down();
    running.wait();
    EXPECT_TRUE(s.pool->shutdown(stop_mode::drain));
    s.each_once();
}

TEST(Engine, APoolThatStopsCancelsTheCallsItWillNeverRun) {
    stage s({}, std::make_shared<echo>());
    EXPECT_TRUE(s.pool->shutdown(stop_mode::drain));
    call& c = s.submit(1);
    EXPECT_EQ(c.state(), item_state::cancelled);
    EXPECT_TRUE(s.engine->closed());
    EXPECT_TRUE(s.engine->wait_stopped());
}

TEST(Engine, ABusyPoolsFullQueueIsTriedAgain) {
    blocked_function blocked;
    stage s({}, std::make_shared<echo>());
    s.pool = std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1, .max_queue_size = 1});
    batch::engine first({}, blocked.function, s.pool);
    batch::engine second({}, std::make_shared<echo>(), s.pool);
    batch::engine third({}, std::make_shared<echo>(), s.pool);
    call& a = s.make(1);
    call& b = s.make(2);
    call& c = s.make(3);
    first.submit(a);
    blocked.begun.wait();
    second.submit(b);
    third.submit(c);  // no place in the pool's queue
    blocked.open.count_down();
    for (call* each : {&a, &b, &c}) each->wait();
    EXPECT_EQ(c.result, 3);
    for (auto* e : {&first, &second, &third}) {
        e->shutdown(stop_mode::drain);
        EXPECT_TRUE(e->wait_stopped());
    }
}

TEST(Engine, EnginesOfOneWorkerTakeTurns) {
    const auto pool = std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1});
    std::deque<call> calls(400);
    counting_sink sink;
    std::latch begun{1}, open{1};
    std::vector<char> order;
    const auto log = [&](char name) {
        return std::make_shared<echo>([&, name](echo::items) {
            if (!begun.try_wait()) {
                begun.count_down();
                open.wait();
            }
            order.push_back(name);
        });
    };
    batch::engine a({.max_batch_size = 10}, log('a'), pool), b({.max_batch_size = 10}, log('b'), pool);
    for (std::size_t i = 0; i < calls.size(); ++i) {
        calls[i].sink = &sink;
        (i % 2 == 0 ? a : b).submit(calls[i]);
        if (i == 0) begun.wait();
    }
    open.count_down();
    for (const call& c : calls) c.wait();
    const auto last_a = std::find(order.rbegin(), order.rend(), 'a'),
               last_b = std::find(order.rbegin(), order.rend(), 'b');
    EXPECT_LE(std::abs(last_a - last_b), 2) << std::string(order.begin(), order.end());
    for (auto* e : {&a, &b}) {
        e->shutdown(stop_mode::drain);
        EXPECT_TRUE(e->wait_stopped());
    }
}

TEST(Engine, RefusesSettingsThatCannotWork) {
    EXPECT_THROW(batch::engine({.max_batch_size = 0}, std::make_shared<echo>()), std::invalid_argument);
    stage s({}, std::make_shared<echo>());
    EXPECT_EQ(s.engine->configure({.min_concurrent_batches = 2, .max_concurrent_batches = 1}).code,
              errc::invalid_argument);
    EXPECT_EQ(s.engine->configure({.rate_limit = {.rate = 5, .burst = 0}}).code, errc::invalid_argument);
    EXPECT_FALSE(s.engine->configure({.max_batch_size = 7}));
    EXPECT_EQ(s.engine->options().max_batch_size, 7U);
}

TEST(AsyncEngine, StartsInTheSubmittingThreadAndCompletesFromAnother) {
    const auto function = std::make_shared<deferred>();
    stage s({}, function);
    s.submit_chain(10);
    EXPECT_EQ(function->running(), 1U);
    call& next = s.submit(11);
    EXPECT_EQ(function->running(), 1U) << "one at a time";
    std::thread([&] { deferred::finish(function->take()); }).join();
    EXPECT_EQ(s.calls.front().result, 0);
    EXPECT_EQ(function->running(), 1U) << "the next one starts where one ends";
    deferred::finish(function->take());
    EXPECT_EQ(next.result, 11);
    s.each_once();
}

TEST(AsyncEngine, ABatchThatIsDroppedFailsItsItems) {
    const auto function = std::make_shared<deferred>();
    stage s({}, function);
    call& c = s.submit(1);
    { const auto dropped = function->take(); }
    EXPECT_NE(c.error.find("without an answer"), std::string::npos) << c.error;
}

TEST(AsyncEngine, AStartThatThrowsFailsItsItems) {
    struct refusing final : batch_function {
        bool is_async() const noexcept override { return true; }
        void run(std::span<item* const>) override {}
        void start(batch_handle&&) override { throw std::runtime_error("loop is closed"); }
        void fail(item& it, const std::exception_ptr& why) noexcept override { call::of(it).error = text_of(why); }
        void share(const item&, item&) override {}
    };
    stage s({}, std::make_shared<refusing>());
    EXPECT_EQ(s.submit(1).error, "loop is closed");
}

TEST(AsyncEngine, FunctionsThatAnswerAtOnceDoNotRecurse) {
    struct instant final : batch_function {
        bool is_async() const noexcept override { return true; }
        void run(std::span<item* const>) override {}
        void start(batch_handle&& handle) override { deferred::finish(std::move(handle)); }
        void fail(item&, const std::exception_ptr&) noexcept override {}
        void share(const item&, item&) override {}
    };
    stage s({.max_batch_size = 1, .max_queue_size = 100'000}, std::make_shared<instant>());
    s.submit_chain(50'000);
    s.each_once();
    EXPECT_EQ(s.counters().batches, 50'000U);
}

TEST(AsyncEngine, ASinkMaySubmitAgain) {
    struct instant final : batch_function {
        bool is_async() const noexcept override { return true; }
        void run(std::span<item* const>) override {}
        void start(batch_handle&& handle) override { deferred::finish(std::move(handle)); }
        void fail(item&, const std::exception_ptr&) noexcept override {}
        void share(const item&, item&) override {}
    };
    struct chaining final : sink {
        void deliver(item*) noexcept override {
            if (++calls < 50'000) to->submit(*again);
        }
        void recycle(item&) noexcept override {}
        engine* to = nullptr;
        call* again = nullptr;
        int calls = 0;
    } chain;
    stage s({}, std::make_shared<instant>());
    call& c = s.make(1);
    c.sink = &chain;
    chain.to = s.engine.get();
    chain.again = &c;
    s.engine->submit(c);
    EXPECT_EQ(chain.calls, 50'000);
}

TEST(AsyncEngine, LivesUntilItsLastBatchEnds) {
    const auto function = std::make_shared<deferred>();
    stage s({}, function);
    call& c = s.submit(1);
    s.engine.reset();
    EXPECT_EQ(c.delivered, 0);
    deferred::finish(function->take());
    EXPECT_EQ(c.result, 1);
    s.each_once();
}

}  // namespace
}  // namespace headrace::batch
