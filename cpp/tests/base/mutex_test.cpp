#include <gtest/gtest.h>

#include <headrace/base/mutex.hpp>
#include <thread>
#include <vector>

namespace headrace {
namespace {

using namespace std::chrono_literals;

struct counter {
    mutex m;
    condition changed;
    int value HEADRACE_GUARDED_BY(m) = 0;
};

TEST(Mutex, KeepsIncrementsOfSeveralThreads) {
    counter c;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) {
                const lock_guard lock(c.m);
                ++c.value;
            }
        });
    }
    for (auto& t : threads) t.join();
    const lock_guard lock(c.m);
    EXPECT_EQ(c.value, 4000);
}

TEST(Mutex, AGuardThatWasUnlockedEarlyLeavesTheMutexFree) {
    mutex m;
    lock_guard lock(m);
    lock.unlock();
    ASSERT_TRUE(m.try_lock());
    m.unlock();
}

TEST(Condition, WakesTheWaiterAfterAChange) {
    counter c;
    std::thread other([&] {
        const lock_guard lock(c.m);
        c.value = 1;
        c.changed.notify_one();
    });
    {
        const lock_guard lock(c.m);
        while (c.value == 0) c.changed.wait(c.m);
        EXPECT_EQ(c.value, 1);
    }
    other.join();
}

TEST(Condition, WaitForReportsThatTheTimePassed) {
    counter c;
    const lock_guard lock(c.m);
    EXPECT_FALSE(c.changed.wait_for(c.m, 1us));
}

}  // namespace
}  // namespace headrace
