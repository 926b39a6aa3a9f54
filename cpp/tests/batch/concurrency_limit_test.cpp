#include <headrace/batch/concurrency_limit.hpp>

#include <gtest/gtest.h>

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

/// A downstream that serves `capacity` batches at once, each in `service`: more of them wait for each other.
struct downstream {
    std::size_t capacity;
    ns service = 1ms;
    ns now{0};

    void run(concurrency_limit& limit, int batches, bool demand = true) {
        for (int i = 0; i < batches; ++i) {
            const auto in_flight = std::max(limit.limit(), capacity);
            const ns took = service * static_cast<ns::rep>(in_flight) / static_cast<ns::rep>(capacity);
            limit.on_batch({10, now, now + took, demand, false});
            now += took;
        }
    }
};

TEST(ConcurrencyLimit, GrowsToWhatTheDownstreamServesAtOnce) {
    for (const std::size_t capacity : {2U, 8U, 20U}) {
        concurrency_limit limit(1, 64);
        downstream d{capacity};
        d.run(limit, 4000);
        EXPECT_GE(limit.limit(), capacity) << "leaves capacity unused";
        EXPECT_LE(limit.limit(), capacity * 2 + 2) << "queues in the downstream";
    }
}

TEST(ConcurrencyLimit, DoesNotGrowWithoutDemand) {
    concurrency_limit limit(1, 64);
    downstream{8}.run(limit, 1000, false);
    EXPECT_EQ(limit.limit(), 1U);
}

TEST(ConcurrencyLimit, FollowsADownstreamThatLosesCapacity) {
    concurrency_limit limit(1, 64);
    downstream d{16};
    d.run(limit, 2000);
    ASSERT_GE(limit.limit(), 16U);
    d.capacity = 4;
    d.run(limit, 4000);
    EXPECT_LE(limit.limit(), 10U);
}

TEST(ConcurrencyLimit, AFailureCutsOnceForAllBatchesThatWereUnderWay) {
    concurrency_limit limit(1, 64);
    downstream d{64};
    d.run(limit, 500);
    const auto before = limit.limit();
    ASSERT_GT(before, 10U);
    for (int i = 0; i < 8; ++i) limit.on_batch({10, d.now, d.now + 1ms, true, true});
    const auto after = static_cast<std::size_t>(static_cast<double>(before) * concurrency_limit::back_off_to);
    EXPECT_EQ(limit.limit(), after);
    limit.on_batch({10, d.now + 1ms, d.now + 2ms, true, true});
    EXPECT_LT(limit.limit(), after) << "one that began after the cut failed as well";
    for (int i = 2; i < 100; ++i) limit.on_late(d.now + i * 1ms, d.now + i * 1ms);
    EXPECT_EQ(limit.limit(), 1U) << "never below the minimum";
}

TEST(ConcurrencyLimit, StaysFixedWhenMinimumAndMaximumAreEqual) {
    concurrency_limit limit(3, 3);
    downstream{1}.run(limit, 1000);
    limit.on_late(1s, 2s);
    EXPECT_EQ(limit.limit(), 3U);
    limit.configure(5, 9);
    EXPECT_EQ(limit.limit(), 5U);
}

TEST(ConcurrencyLimit, LargeBatchesThatTakeLongerAreNoSignOfAQueue) {
    concurrency_limit limit(1, 16);
    ns now{0};
    for (int i = 0; i < 2000; ++i) {
        const std::size_t size = i % 2 == 0 ? 1 : 100;
        const ns took = size == 1 ? 1ms : 20ms;
        limit.on_batch({size, now, now + took, true, false});
        now += took;
    }
    EXPECT_EQ(limit.limit(), 16U);
}

}  // namespace
}  // namespace headrace::batch
