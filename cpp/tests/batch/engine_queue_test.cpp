// 100 000 items against a downstream that has stopped, with each policy: bounded, and every waiter hears of it.
#include <gtest/gtest.h>

#include <deque>

#include "echo.hpp"

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t flood = 100'000, room = 1'000;

/// An engine whose function is stuck with its first item.
struct stopped_downstream {
    explicit stopped_downstream(full_policy policy)
        : pool(std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1})),
          engine(std::make_unique<batch::engine>(batch_options{.max_queue_size = room, .on_full = policy},
                                                 blocked.function, pool)) {
        submit(first);
        blocked.begun.wait();
    }
    void submit(call& c) {
        c.sink = &sink;
        engine->submit(c);
    }
    std::size_t delivered() const { return static_cast<std::size_t>(sink.items.load()); }
    void drain() {
        blocked.open.count_down();
        engine->shutdown(stop_mode::drain);
        EXPECT_TRUE(engine->wait_stopped());
        EXPECT_EQ(delivered(), flood + 1);
        for (const call& c : calls) EXPECT_EQ(c.delivered, 1);
    }

    blocked_function blocked;
    counting_sink sink;
    call first;
    std::deque<call> calls{flood};
    std::shared_ptr<exec::thread_pool> pool;
    std::unique_ptr<batch::engine> engine;
};

TEST(EngineQueue, RejectsWhatFindsNoRoom) {
    stopped_downstream d(full_policy::reject);
    for (call& c : d.calls) d.submit(c);
    EXPECT_EQ(d.delivered(), flood - room);
    EXPECT_EQ(d.calls[room - 1].delivered, 0);
    EXPECT_EQ(d.calls[room].state(), item_state::refused);
    EXPECT_EQ(d.engine->stats().waiting, room);
    EXPECT_EQ(d.engine->stats().counters.rejected, flood - room);
    EXPECT_FALSE(d.engine->has_room());
    d.drain();
}

TEST(EngineQueue, RejectsTheEndOfAChain) {
    stopped_downstream d(full_policy::reject);
    for (std::size_t i = 0; i < flood; ++i) {
        d.calls[i].sink = &d.sink;
        d.calls[i].next = i + 1 < flood ? &d.calls[i + 1] : nullptr;
    }
    d.engine->submit_chain(d.calls[0]);
    EXPECT_EQ(d.delivered(), flood - room);
    EXPECT_EQ(d.calls[room - 1].delivered, 0);
    EXPECT_EQ(d.calls[room].state(), item_state::refused);
    d.drain();
}

TEST(EngineQueue, DropsTheOldest) {
    stopped_downstream d(full_policy::drop_oldest);
    for (call& c : d.calls) d.submit(c);
    EXPECT_EQ(d.delivered(), flood - room);
    EXPECT_EQ(d.calls.front().state(), item_state::dropped);
    EXPECT_EQ(d.calls.back().delivered, 0);
    EXPECT_EQ(d.engine->stats().waiting, room);
    d.drain();
}

TEST(EngineQueue, LetsCallersWaitWithoutAThread) {
    stopped_downstream d(full_policy::wait);
    for (call& c : d.calls) d.submit(c);
    EXPECT_EQ(d.delivered(), 0U);
    EXPECT_EQ(d.engine->stats().waiting, room);
    EXPECT_EQ(d.engine->stats().waiting_for_room, flood - room);
    d.drain();
}

TEST(EngineQueue, LetsThreadsWaitForRoom) {
    stopped_downstream d(full_policy::wait);
    EXPECT_TRUE(d.engine->wait_room(0ns));
    for (std::size_t i = 0; i < room; ++i) d.submit(d.calls[i]);
    EXPECT_FALSE(d.engine->wait_room(1ms));
    std::thread patient([&] {
        EXPECT_TRUE(d.engine->wait_room());
        for (std::size_t i = room; i < flood; ++i) d.submit(d.calls[i]);
    });
    d.blocked.open.count_down();
    patient.join();
    d.drain();
}

TEST(EngineQueue, ALargerQueueLetsWaitingThreadsIn) {
    stopped_downstream d(full_policy::wait);
    for (std::size_t i = 0; i < room; ++i) d.submit(d.calls[i]);
    std::thread patient([&] { EXPECT_TRUE(d.engine->wait_room()); });
    EXPECT_FALSE(d.engine->configure({.max_queue_size = 2 * room}));
    patient.join();
    for (std::size_t i = room; i < flood; ++i) d.submit(d.calls[i]);
    d.drain();
}

TEST(EngineQueue, CancelledItemsMakeRoom) {
    stopped_downstream d(full_policy::reject);
    for (std::size_t i = 0; i < room; ++i) d.submit(d.calls[i]);
    for (std::size_t i = 0; i < room; ++i) EXPECT_TRUE(d.engine->cancel(d.calls[i]));
    for (std::size_t i = room; i < 2 * room; ++i) d.submit(d.calls[i]);
    EXPECT_EQ(d.engine->stats().counters.rejected, 0U);
    for (std::size_t i = 2 * room; i < flood; ++i) d.submit(d.calls[i]);
    d.drain();
}

TEST(EngineQueue, DeadlinesEmptyAFullQueue) {
    stopped_downstream d(full_policy::wait);
    const ns deadline = monotonic_now() + 20ms;
    for (call& c : d.calls) {
        c.deadline = deadline;
        d.submit(c);
    }
    for (const call& c : d.calls) c.wait();
    EXPECT_EQ(d.engine->stats().counters.timed_out, flood);
    EXPECT_EQ(d.engine->stats().waiting, 0U);
    d.drain();
}

TEST(EngineQueue, CancelAtShutdownFreesThemAll) {
    stopped_downstream d(full_policy::wait);
    for (call& c : d.calls) d.submit(c);
    d.engine->shutdown(stop_mode::cancel);
    EXPECT_EQ(d.delivered(), flood);
    EXPECT_EQ(d.calls.front().state(), item_state::cancelled);
    d.drain();
}

}  // namespace
}  // namespace headrace::batch
