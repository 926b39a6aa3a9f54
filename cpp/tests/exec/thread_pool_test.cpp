#include <headrace/exec/thread_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

#include "scripted_task.hpp"

namespace headrace::exec {
namespace {

using namespace std::chrono_literals;

void wait_parked(const thread_pool& pool, std::size_t workers) {
    while (pool.stats().parked != workers) std::this_thread::yield();
}

void link(std::deque<scripted_task>& tasks) {
    for (std::size_t i = 0; i + 1 < tasks.size(); ++i) tasks[i].next = &tasks[i + 1];
}

TEST(ThreadPool, RunsTasksInOrderOnOneWorker) {
    std::vector<int> order;
    std::deque<scripted_task> tasks;
    for (int i = 0; i < 100; ++i) tasks.emplace_back([&order, i] { order.push_back(i); });
    {
        thread_pool pool({.threads = 1});
        for (auto& t : tasks) ASSERT_FALSE(pool.submit(t));
        EXPECT_TRUE(pool.shutdown(stop_mode::drain));
    }
    std::vector<int> expected(100);
    for (int i = 0; i < 100; ++i) expected[static_cast<std::size_t>(i)] = i;
    EXPECT_EQ(order, expected);
}

TEST(ThreadPool, AChainCostsOneWakeAndRunsWhole) {
    thread_pool pool({.threads = 1, .spin = 0ns});
    scripted_task first;
    ASSERT_FALSE(pool.submit(first));
    wait_parked(pool, 1);
    const auto wakes = pool.stats().wakes;
    std::deque<scripted_task> tasks(100);
    link(tasks);
    task* rest = nullptr;
    ASSERT_FALSE(pool.submit_chain(&tasks[0], rest));
    EXPECT_EQ(rest, nullptr);
    for (auto& t : tasks) t.wait();
    EXPECT_EQ(pool.stats().wakes, wakes + 1);
    EXPECT_EQ(pool.stats().run, 101U);
}

TEST(ThreadPool, WorkersStartWhenNeededAndTheLastParkedWakesFirst) {
    thread_pool pool({.threads = 2, .spin = 0ns});
    EXPECT_EQ(pool.stats().threads, 0U);
    blocked_worker a, b;
    ASSERT_FALSE(pool.submit(a.task));
    ASSERT_FALSE(pool.submit(b.task));
    a.begun.wait();
    b.begun.wait();
    a.open.count_down();
    wait_parked(pool, 1);
    b.open.count_down();
    wait_parked(pool, 2);
    std::set<std::thread::id> used;
    for (int i = 0; i < 50; ++i) {
        scripted_task t([&] { used.insert(std::this_thread::get_id()); });
        ASSERT_FALSE(pool.submit(t));
        t.wait();
        wait_parked(pool, 2);
    }
    EXPECT_EQ(used.size(), 1U);
}

TEST(ThreadPool, TasksThatWaitForEachOtherDoNotStarveThePool) {
    thread_pool pool({.threads = 1, .spin = 0ns});
    constexpr int depth = 50;
    std::vector<std::unique_ptr<scripted_task>> tasks(depth + 1);
    for (int i = 0; i <= depth; ++i) {
        tasks[i] = std::make_unique<scripted_task>([&pool, &tasks, i] {
            if (i == depth) return;
            ASSERT_FALSE(pool.submit(*tasks[i + 1]));
            const thread_pool::blocking_scope waiting;
            tasks[i + 1]->wait();
        });
    }
    ASSERT_FALSE(pool.submit(*tasks[0]));
    for (auto& t : tasks) t->wait();
    wait_parked(pool, pool.stats().threads);
    EXPECT_EQ(pool.stats().blocked, 0U);
    EXPECT_LE(pool.stats().threads, depth + 1U);
}

TEST(ThreadPool, WhoStoodInForAWaitingTaskLeavesWhenThatComesBack) {
    thread_pool pool({.threads = 2, .spin = 0ns});
    std::latch waits(1), comes_back(1);
    scripted_task waiter([&] {
        const thread_pool::blocking_scope place;
        waits.count_down();
        comes_back.wait();
    });
    ASSERT_FALSE(pool.submit(waiter));
    waits.wait();
    blocked_worker a, b, late;
    ASSERT_FALSE(pool.submit(a.task));
    ASSERT_FALSE(pool.submit(b.task));
    a.begun.wait();
    b.begun.wait();  // both run while the other waits
    comes_back.count_down();
    waiter.wait();
    wait_parked(pool, 1);
    ASSERT_FALSE(pool.submit(late.task));
    EXPECT_EQ(pool.stats().waiting, 1U);  // for one of the two
    EXPECT_EQ(pool.stats().parked, 1U);
    a.open.count_down();
    late.begun.wait();
    EXPECT_EQ(pool.stats().running, 2U);
    b.open.count_down();
    late.open.count_down();
    a.task.wait();
    b.task.wait();
    late.task.wait();
}

TEST(ThreadPool, AFullQueueRejects) {
    thread_pool pool({.threads = 1, .max_queue_size = 2, .on_full = full_policy::reject});
    blocked_worker busy;
    ASSERT_FALSE(pool.submit(busy.task));
    busy.begun.wait();
    std::deque<scripted_task> tasks(3);
    link(tasks);
    task* rest = nullptr;
    EXPECT_EQ(pool.submit_chain(&tasks[0], rest).code, errc::queue_full);
    EXPECT_EQ(rest, &tasks[2]);
    EXPECT_EQ(tasks[2].ended, 0) << "not taken: no callback";
    busy.open.count_down();
    tasks[1].wait();
    EXPECT_EQ(tasks[0].runs, 1);
}

TEST(ThreadPool, AFullQueueDropsTheOldest) {
    thread_pool pool({.threads = 1, .max_queue_size = 2, .on_full = full_policy::drop_oldest});
    blocked_worker busy;
    ASSERT_FALSE(pool.submit(busy.task));
    busy.begun.wait();
    std::array<scripted_task, 3> t;
    for (auto& each : t) ASSERT_FALSE(pool.submit(each));
    EXPECT_EQ(t[0].refusals, 1);
    EXPECT_EQ(t[0].why.code, errc::queue_full);
    busy.open.count_down();
    t[2].wait();
    EXPECT_EQ(t[1].runs, 1);
    EXPECT_EQ(pool.stats().dropped, 1U);
}

TEST(ThreadPool, AFullQueueLetsThreadsWaitForRoomUntilTheirDeadline) {
    thread_pool pool({.threads = 1, .max_queue_size = 1, .on_full = full_policy::wait});
    blocked_worker busy;
    scripted_task waiting, late, patient;
    ASSERT_FALSE(pool.submit(busy.task));
    busy.begun.wait();
    ASSERT_FALSE(pool.submit(waiting));
    EXPECT_EQ(pool.submit(late, monotonic_now() + 1ms).code, errc::timed_out);
    std::thread submitter([&] { EXPECT_FALSE(pool.submit(patient)); });
    busy.open.count_down();
    submitter.join();
    patient.wait();
    EXPECT_EQ(waiting.runs + patient.runs, 2);
    EXPECT_EQ(late.ended, 0);
}

TEST(ThreadPool, AWorkerNeverWaitsForRoomInItsOwnPool) {
    thread_pool pool({.threads = 1, .max_queue_size = 1, .on_full = full_policy::wait});
    scripted_task first, second;
    failure a, b;
    scripted_task outer([&] {
        a = pool.submit(first);
        b = pool.submit(second);
    });
    ASSERT_FALSE(pool.submit(outer));
    first.wait();
    EXPECT_FALSE(a);
    EXPECT_EQ(b.code, errc::queue_full);
}

TEST(ThreadPool, ADeadlineHoldsThoughNoWorkerIsFree) {
    thread_pool pool({.threads = 1});
    blocked_worker busy;
    ASSERT_FALSE(pool.submit(busy.task));
    busy.begun.wait();
    scripted_task hurried, calm, past;
    ASSERT_FALSE(pool.submit(calm));
    ASSERT_FALSE(pool.submit(hurried, monotonic_now() + 1ms));
    hurried.wait();
    EXPECT_EQ(hurried.why.code, errc::timed_out);
    EXPECT_EQ(calm.ended, 0);
    EXPECT_EQ(pool.submit(past, monotonic_now()).code, errc::timed_out);
    EXPECT_EQ(pool.stats().timed_out, 1U);
    busy.open.count_down();
    calm.wait();
}

TEST(ThreadPool, CancelTakesBackWhatHasNotBegun) {
    thread_pool pool({.threads = 1});
    blocked_worker busy;
    scripted_task waiting;
    ASSERT_FALSE(pool.submit(busy.task));
    busy.begun.wait();
    ASSERT_FALSE(pool.submit(waiting));
    EXPECT_FALSE(pool.cancel(busy.task));
    EXPECT_TRUE(pool.cancel(waiting));
    EXPECT_FALSE(pool.cancel(waiting));
    busy.open.count_down();
    EXPECT_TRUE(pool.shutdown(stop_mode::drain));
    EXPECT_EQ(waiting.ended, 0);
}

TEST(ThreadPool, ShutdownWithCancelRefusesWhatWaits) {
    thread_pool pool({.threads = 1});
    blocked_worker busy;
    scripted_task waiting, after;
    ASSERT_FALSE(pool.submit(busy.task));
    busy.begun.wait();
    ASSERT_FALSE(pool.submit(waiting));
    EXPECT_FALSE(pool.shutdown(stop_mode::cancel, 0ns)) << "a task is still running";
    EXPECT_EQ(waiting.why.code, errc::cancelled);
    EXPECT_EQ(pool.submit(after).code, errc::closed);
    busy.open.count_down();
    EXPECT_TRUE(pool.shutdown(stop_mode::cancel));
    EXPECT_EQ(busy.task.runs, 1);
    EXPECT_EQ(pool.stats().threads, 0U);
}

TEST(ThreadPool, ShutdownReleasesThoseWhoWaitForRoom) {
    thread_pool pool({.threads = 1, .max_queue_size = 1, .on_full = full_policy::wait});
    blocked_worker busy;
    scripted_task waiting, never;
    ASSERT_FALSE(pool.submit(busy.task));
    busy.begun.wait();
    ASSERT_FALSE(pool.submit(waiting));
    std::thread submitter([&] {
        const auto why = pool.submit(never);
        EXPECT_TRUE(why.code == errc::closed) << why.message;
    });
    EXPECT_FALSE(pool.shutdown(stop_mode::drain, 1ms));
    submitter.join();
    busy.open.count_down();
    EXPECT_TRUE(pool.shutdown(stop_mode::drain));
    EXPECT_EQ(waiting.runs, 1);
}

TEST(ThreadPool, MayBeDroppedByItsOwnWorker) {
    auto pool = std::make_unique<thread_pool>(thread_pool_options{.threads = 2});
    std::latch gone{1};
    scripted_task last([&] {
        EXPECT_TRUE(pool->running_here());
        EXPECT_FALSE(pool->shutdown(stop_mode::drain));
        pool.reset();
        gone.count_down();
    });
    ASSERT_FALSE(pool->submit(last));
    gone.wait();
    last.wait();
}

TEST(ThreadPool, CallsItsHooksOncePerThread) {
    std::atomic<int> started{0}, stopped{0};
    {
        thread_pool pool({.threads = 3, .on_thread_start = [&] { ++started; }, .on_thread_stop = [&] { ++stopped; }});
        std::array<blocked_worker, 3> busy;
        for (auto& b : busy) ASSERT_FALSE(pool.submit(b.task));
        for (auto& b : busy) b.begun.wait();
        EXPECT_EQ(started, 3);
        EXPECT_EQ(stopped, 0);
        for (auto& b : busy) b.open.count_down();
        EXPECT_TRUE(pool.shutdown(stop_mode::drain));
    }
    EXPECT_EQ(started, 3);
    EXPECT_EQ(stopped, 3);
}

TEST(ThreadPool, RefusesAQueueWithoutRoom) {
    EXPECT_THROW(thread_pool({.max_queue_size = 0}), std::invalid_argument);
}

TEST(ThreadPool, EveryTaskEndsExactlyOnceWhileProducersCancel) {
    constexpr std::size_t producers = 4, each = 5'000;
    std::deque<scripted_task> tasks(producers * each);
    std::vector<char> taken_back(tasks.size(), 0);
    {
        thread_pool pool({.threads = 3, .spin = 2us});
        std::vector<std::thread> threads;
        for (std::size_t p = 0; p < producers; ++p) {
            threads.emplace_back([&, p] {
                std::mt19937 random(static_cast<unsigned>(p));
                for (std::size_t i = p * each; i < (p + 1) * each; ++i) {
                    const ns deadline = random() % 8 == 0 ? monotonic_now() + 20us : thread_pool::no_deadline;
                    if (pool.submit(tasks[i], deadline)) tasks[i].ended = 1;
                    if (random() % 4 == 0) taken_back[i] = static_cast<char>(pool.cancel(tasks[i]));
                }
            });
        }
        for (auto& t : threads) t.join();
        EXPECT_TRUE(pool.shutdown(stop_mode::drain));
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        ASSERT_EQ(tasks[i].ended + taken_back[i], 1) << "task " << i;
    }
}

}  // namespace
}  // namespace headrace::exec
