// Units that wait while they run: coroutines on real workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <headrace/batch/task_graph.hpp>
#include <latch>
#include <thread>

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(UnitTask, SleepsAndAwaitsWithoutAThread) {
    task_graph g({.concurrency = 1}, std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1}));
    std::vector<unit<int>> all;
    const ns start = monotonic_now();
    for (int i = 0; i < 1000; ++i) {
        all.push_back(g.submit(
            [](unit_context& here, int x) -> unit_task<int> {
                co_await here.sleep(2ms);
                const int child = co_await here.submit([x] { return x * 2; });
                co_return child + 1;
            },
            i));
    }
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(all[static_cast<std::size_t>(i)].wait(20s));
        ASSERT_EQ(all[static_cast<std::size_t>(i)].get(), 2 * i + 1);
    }
    EXPECT_GE(monotonic_now() - start, 2ms);
}

TEST(UnitTask, AnAwaitedFailureIsThrownAndCanBeHandled) {
    task_graph g;
    const auto bad = g.submit({.name = "bad"}, []() -> int { throw std::domain_error("seven"); });
    const auto handled = g.submit([bad](unit_context&) -> unit_task<std::string> {
        try {
            co_await bad;
        } catch (const std::domain_error& e) {
            co_return e.what();
        }
        co_return "not thrown";
    });
    const auto passed_on = g.submit([bad](unit_context&) -> unit_task<int> { co_return co_await bad; });
    ASSERT_TRUE(handled.wait(10s) && passed_on.wait(10s));
    EXPECT_EQ(handled.get(), "seven");
    EXPECT_EQ(passed_on.state(), unit_state::failed);
    EXPECT_THROW(std::rethrow_exception(passed_on.thrown()), std::domain_error);
}

TEST(UnitTask, TwoThatAwaitEachOtherGetTheCycleNamed) {
    task_graph g;
    unit<> a, b;
    std::latch both(1);
    a = g.submit({.name = "a"}, [&](unit_context& here) -> unit_task<> {
        both.wait();
        co_await here.sleep(1us);
        co_await b;
    });
    b = g.submit({.name = "b"}, [&](unit_context& here) -> unit_task<> {
        both.wait();
        co_await here.sleep(1us);
        co_await a;
    });
    both.count_down();
    ASSERT_TRUE(a.wait(10s) && b.wait(10s));
    EXPECT_EQ(a.state(), unit_state::failed);
    EXPECT_EQ(b.state(), unit_state::failed);
    EXPECT_THAT(a.why().message + b.why().message, HasSubstr("this would be a cycle"));
}

TEST(UnitTask, ACancelledOneIsUnwound) {
    struct flag {
        explicit flag(std::atomic<bool>& f) : gone(f) {}
        ~flag() { gone = true; }
        std::atomic<bool>& gone;
    };
    task_graph g;
    std::atomic<bool> gone{false}, went_on{false};
    std::latch begun(1);
    const auto a = g.submit([&](unit_context& here) -> unit_task<> {
        const flag guard(gone);
        begun.count_down();
        co_await here.sleep(1h);
        went_on = true;
    });
    begun.wait();
    EXPECT_TRUE(g.cancel(a));
    EXPECT_EQ(a.state(), unit_state::cancelled);
    ASSERT_TRUE(g.wait(10s));
    EXPECT_TRUE(gone);
    EXPECT_FALSE(went_on);
}

// Something outside that answers from another thread.
class answer : public outside_wait {
public:
    explicit answer(std::function<void(answer&)> start) : start_(std::move(start)) {}
    int await_resume() const {
        throw_if_cancelled(self());
        return value;
    }
    int value = 0;
    std::atomic<bool> abandoned{false};
    void abandon() noexcept override { abandoned = true; }

private:
    void begin() override { start_(*this); }
    std::function<void(answer&)> start_;
};

TEST(UnitTask, WaitsForSomethingOutsideAlsoWhenItComesAtOnce) {
    task_graph g;
    std::thread other;
    const auto later = g.submit([&](unit_context&) -> unit_task<int> {
        answer four([&](answer& a) {
            other = std::thread([&a] {
                a.value = 4;
                a.resume();
            });
        });
        co_return co_await four;
    });
    const auto at_once = g.submit([](unit_context&) -> unit_task<int> {
        answer five([](answer& a) {
            a.value = 5;
            a.resume();
        });
        co_return co_await five;
    });
    ASSERT_TRUE(later.wait(10s) && at_once.wait(10s));
    other.join();
    EXPECT_EQ(later.get(), 4);
    EXPECT_EQ(at_once.get(), 5);
}

TEST(UnitTask, ACancelAbandonsWhatItWaitsForAndEndsWithItsAnswer) {
    task_graph g;
    std::atomic<answer*> waiting{nullptr};
    const auto u = g.submit([&](unit_context&) -> unit_task<int> {
        answer never([&](answer& a) { waiting = &a; });
        co_return co_await never;
    });
    while (g.counts().suspended == 0) std::this_thread::yield();
    EXPECT_TRUE(g.cancel(u));
    EXPECT_TRUE(waiting.load()->abandoned);
    EXPECT_FALSE(g.wait(1ms));
    waiting.load()->resume();
    EXPECT_TRUE(g.wait(10s));
    EXPECT_EQ(u.state(), unit_state::cancelled);
}

}  // namespace
}  // namespace headrace::batch
