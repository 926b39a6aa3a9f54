#include <gtest/gtest.h>

#include <headrace/measure/paced_driver.hpp>

namespace headrace::measure {
namespace {

using namespace std::chrono_literals;

TEST(PacedDriver, WaitsForTheNextItem) {
    paced_driver d{pacer{1000.0, 0ns}};
    EXPECT_EQ(d.due(0ns), 1U);
    EXPECT_EQ(d.take(0ns), 0ns);
    EXPECT_EQ(d.due(999'999ns), 0U);
    EXPECT_EQ(d.wake_at(), 1ms);
}

TEST(PacedDriver, SendsLateItemsAtOnceAndSkipsNone) {
    paced_driver d{pacer{1000.0, 0ns}};
    const ns after_a_stall = 10ms;
    EXPECT_EQ(d.due(after_a_stall), 11U);
    for (int i = 0; i < 11; ++i) EXPECT_EQ(d.take(after_a_stall), i * 1ms);
    EXPECT_EQ(d.due(after_a_stall), 0U);
    EXPECT_EQ(d.taken(), 11U);
}

TEST(PacedDriver, RecordsHowLateEachItemWasTaken) {
    paced_driver d{pacer{1000.0, 0ns}};
    d.take(0ns);
    d.take(1ms + 500ns);
    d.take(4ms);
    EXPECT_EQ(d.lateness().count(), 3U);
    EXPECT_EQ(d.lateness().min(), 0);
    EXPECT_EQ(d.lateness().max(), 2'000'000);
    EXPECT_EQ(d.lateness().percentile(50), 500);
}

TEST(PacedDriver, CountsAnEarlyTakeApart) {
    paced_driver d{pacer{1000.0, 1s}};
    d.take(0ns);
    EXPECT_EQ(d.lateness().below(), 1U);
}

}  // namespace
}  // namespace headrace::measure
