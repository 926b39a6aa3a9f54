#include <gtest/gtest.h>

#include <headrace/base/clock.hpp>
#include <headrace/base/sleep.hpp>

namespace headrace {
namespace {

using namespace std::chrono_literals;

TEST(Clock, MonotonicDoesNotGoBack) {
    ns last = monotonic_now();
    for (int i = 0; i < 1000; ++i) {
        const ns now = monotonic_now();
        ASSERT_GE(now, last);
        last = now;
    }
}

TEST(Clock, AnchorConvertsByAFixedOffset) {
    constexpr clock_anchor a{5s, 1'617'516'000s};
    EXPECT_EQ(a.to_epoch(5s), 1'617'516'000s);
    EXPECT_EQ(a.to_epoch(4s + 1ns), 1'617'515'999s + 1ns);
}

TEST(Clock, AnchorReadsBothClocksAtOneMoment) {
    const ns before = monotonic_now();
    const auto a = clock_anchor::now();
    EXPECT_GE(a.monotonic, before);
    EXPECT_LE(a.monotonic, monotonic_now());
    EXPECT_GT(a.epoch, 1'600'000'000s);
}

TEST(Sleep, ReturnsAtOnceForAMomentThatHasPassed) {
    sleep_until(ns{0});
    sleep_until(monotonic_now() - 1s);
}

TEST(Sleep, ReturnsNotBeforeTheMoment) {
    use_exact_timers();
    const ns moment = monotonic_now() + 200us;
    sleep_until(moment);
    EXPECT_GE(monotonic_now(), moment);
}

}  // namespace
}  // namespace headrace
