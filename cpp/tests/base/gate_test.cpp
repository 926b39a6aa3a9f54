#include <gtest/gtest.h>

#include <atomic>
#include <headrace/base/gate.hpp>
#include <thread>
#include <vector>

namespace headrace {
namespace {

using namespace std::chrono_literals;

TEST(Gate, LetsInUntilClosed) {
    gate g;
    {
        const auto pass = g.enter();
        EXPECT_TRUE(pass);
        EXPECT_EQ(g.inside(), 1U);
    }
    EXPECT_EQ(g.inside(), 0U);
    g.close();
    EXPECT_FALSE(g.enter());
    EXPECT_TRUE(g.closed());
}

TEST(Gate, WaitReturnsAtOnceWhenClosedAndEmpty) {
    gate g;
    g.close();
    g.close();
    g.wait();
    EXPECT_TRUE(g.wait_for(0ns));
}

TEST(Gate, WaitForGivesUpWhileSomethingIsInside) {
    gate g;
    EXPECT_FALSE(g.wait_for(0ns));  // open: not stopped
    auto pass = g.enter();
    g.close();
    EXPECT_FALSE(g.wait_for(1us));
    pass.leave();
    EXPECT_TRUE(g.wait_for(1us));
}

TEST(Gate, APassMovesItsDutyToLeave) {
    gate g;
    auto first = g.enter();
    auto second = std::move(first);
    first = g.enter();
    EXPECT_EQ(g.inside(), 2U);
    second = std::move(first);
    EXPECT_EQ(g.inside(), 1U);
    second.leave();
    second.leave();
    EXPECT_EQ(g.inside(), 0U);
}

TEST(Gate, WaitsForEveryThreadInsideAndAdmitsNoneAfterwards) {
    gate g;
    std::atomic<int> working{0};
    std::atomic<bool> finished{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            while (const auto pass = g.enter()) {
                ++working;
                EXPECT_FALSE(finished) << "work ran after wait() returned";
                --working;
            }
        });
    }
    while (g.inside() == 0) std::this_thread::yield();
    g.close();
    g.wait();
    finished = true;
    EXPECT_EQ(working, 0);
    for (auto& t : threads) t.join();
}

}  // namespace
}  // namespace headrace
