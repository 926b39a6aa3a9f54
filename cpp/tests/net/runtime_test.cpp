#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <headrace/net/runtime.hpp>
#include <memory>
#include <stdexcept>
#include <thread>

namespace headrace::net {
namespace {

TEST(runtime, runs_posted_work_on_its_own_threads) {
    runtime r({.io_threads = 2});
    std::promise<bool> own;
    r.thread(1).post([&] { own.set_value(r.thread(1).running_here() && !r.thread(0).running_here()); });
    EXPECT_TRUE(own.get_future().get());
    EXPECT_FALSE(r.thread(0).running_here());
}

TEST(runtime, refuses_zero_threads) {
    EXPECT_THROW(runtime({.io_threads = 0}), std::invalid_argument);
}

TEST(runtime, drops_work_posted_after_stop) {
    std::atomic<int> ran{0};
    {
        runtime r;
        r.stop();
        r.thread(0).post([&] { ++ran; });
    }
    EXPECT_EQ(ran, 0);
}

TEST(runtime, one_whose_last_holder_is_its_own_thread_frees_itself_and_what_it_never_ran) {
    auto last = std::make_shared<runtime>();
    auto& thread = last->thread(0);
    auto token = std::make_shared<int>();
    const std::weak_ptr<int> left = token;
    std::promise<void> posted;
    thread.post([last = std::move(last), both = posted.get_future().share()]() mutable {
        both.wait();
        last.reset();
    });
    thread.post([token = std::move(token)] {});
    posted.set_value();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!left.expired() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_TRUE(left.expired());
}

TEST(runtime, the_shared_one_is_made_again_after_it_was_stopped) {
    const auto first = runtime::shared();
    EXPECT_EQ(first, runtime::shared());
    runtime::stop_shared();
    EXPECT_NE(first, runtime::shared());
    runtime::stop_shared();
}

TEST(runtime, counts_the_cpu_time_of_its_threads) {
    runtime r;
    std::promise<void> done;
    r.thread(0).post([&] {
        volatile unsigned long sum = 0;
        for (unsigned long i = 0; i < 20'000'000; ++i) sum = sum + i;
        done.set_value();
    });
    done.get_future().get();
    const ns used = r.thread(0).cpu_time();
    EXPECT_GT(used.count(), 0);
    r.stop();
    EXPECT_GE(r.thread(0).cpu_time(), used);
}

}  // namespace
}  // namespace headrace::net
