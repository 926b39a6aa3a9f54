#include <gtest/gtest.h>

#include <cmath>

#include <headrace/base/token_bucket.hpp>
#include <limits>
#include <stdexcept>

namespace headrace {
namespace {

using namespace std::chrono_literals;

TEST(TokenBucket, StartsFullAndRefusesWhenEmpty) {
    token_bucket b{10.0, 3.0, 0ns};
    EXPECT_TRUE(b.try_take(1, 0ns));
    EXPECT_TRUE(b.try_take(2, 0ns));
    EXPECT_FALSE(b.try_take(1, 0ns));
    EXPECT_EQ(b.ready_at(1, 0ns), 100ms);
}

TEST(TokenBucket, IsReadyExactlyWhenItSaysSo) {
    token_bucket b{3.0, 1.0, 0ns};
    ASSERT_TRUE(b.try_take(1, 0ns));
    const ns ready = b.ready_at(1, 0ns);
    EXPECT_FALSE(b.try_take(1, ready - 1ns));
    EXPECT_TRUE(b.try_take(1, ready));
}

TEST(TokenBucket, KeepsNoMoreThanTheBurst) {
    token_bucket b{1000.0, 5.0, 0ns};
    ASSERT_TRUE(b.try_take(5, 0ns));
    EXPECT_DOUBLE_EQ(b.level(1h), 5.0);
    EXPECT_TRUE(b.try_take(5, 1h));
    EXPECT_FALSE(b.try_take(1, 1h));
}

TEST(TokenBucket, DelaysARequestAboveTheBurstAndThenPaysTheDebtBack) {
    token_bucket b{10.0, 2.0, 0ns};
    EXPECT_TRUE(b.try_take(12, 0ns));  // full, so it goes and leaves a debt of 10
    EXPECT_DOUBLE_EQ(b.level(0ns), -10.0);
    EXPECT_EQ(b.ready_at(1, 0ns), 1100ms);
    EXPECT_EQ(b.ready_at(12, 0ns), 1200ms);
}

TEST(TokenBucket, DoesNotDriftOverAMillionTakes) {
    token_bucket b{3.0, 1.0, 0ns};
    ns now = 0ns;
    for (int i = 0; i < 1'000'000; ++i) {
        now = b.ready_at(1, now);
        ASSERT_TRUE(b.try_take(1, now));
    }
    // The first is free; the last one is due after 999,999 / 3 s.
    EXPECT_GE(now, 333'333s);
    EXPECT_LE(now, 333'333s + 1ns);
}

TEST(TokenBucket, IgnoresAClockThatRunsBackwards) {
    token_bucket b{10.0, 1.0, 1s};
    EXPECT_TRUE(b.try_take(1, 500ms));
    EXPECT_FALSE(b.try_take(1, 400ms));
    EXPECT_EQ(b.ready_at(1, 400ms), 1100ms);
}

TEST(TokenBucket, NeverIsTheEndOfTheClock) {
    token_bucket b{1e-12, 1.0, 0ns};
    ASSERT_TRUE(b.try_take(1, 0ns));
    EXPECT_EQ(b.ready_at(1, 0ns), ns::max());
}

TEST(TokenBucket, RefusesSettingsThatCannotWork) {
    for (const double rate : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
        EXPECT_EQ(token_bucket::check(rate, 1.0).code, errc::invalid_argument) << rate;
    }
    EXPECT_EQ(token_bucket::check(1.0, 0.5).code, errc::invalid_argument);
    EXPECT_THROW(token_bucket(0.0, 1.0, 0ns), std::invalid_argument);
}

}  // namespace
}  // namespace headrace
