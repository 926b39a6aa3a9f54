#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <headrace/measure/pacer.hpp>
#include <limits>
#include <stdexcept>
#include <vector>

namespace headrace::measure {
namespace {

using namespace std::chrono_literals;

std::vector<ns> first(pacer p, int n) {
    std::vector<ns> times;
    for (int i = 0; i < n; ++i) times.push_back(p.next());
    return times;
}

TEST(Pacer, PutsTheFirstItemAtTheStart) {
    pacer p{1000.0, 5s};
    EXPECT_EQ(p.peek(), 5s);
    EXPECT_EQ(p.next(), 5s);
    EXPECT_EQ(p.next(), 5s + 1ms);
    EXPECT_EQ(p.issued(), 2U);
    EXPECT_EQ(p.peek(), 5s + 2ms);
}

TEST(Pacer, DoesNotDriftWhenThePeriodIsNoWholeNumberOfNanoseconds) {
    pacer p{3.0, 0ns};
    for (int i = 0; i < 3'000'000; ++i) p.next();
    EXPECT_EQ(p.peek(), 1'000'000s);
}

TEST(Pacer, KeepsFractionalRates) {
    pacer p{0.5, 0ns};
    p.next();
    EXPECT_EQ(p.peek(), 2s);
}

TEST(Pacer, RefusesRatesThatCannotBeKept) {
    for (const double rate : {0.0, -1.0, 2e9, std::numeric_limits<double>::infinity(), std::nan("")}) {
        EXPECT_EQ(pacer::check(rate).code, errc::invalid_argument) << rate;
        EXPECT_THROW(pacer(rate, 0ns), std::invalid_argument) << rate;
    }
}

TEST(Pacer, DueCountsWhatHasBeenReached) {
    pacer p{1000.0, 10ms};
    EXPECT_EQ(p.due(10ms - 1ns), 0U);
    EXPECT_EQ(p.due(10ms), 1U);
    EXPECT_EQ(p.due(12ms), 3U);
    EXPECT_EQ(p.due(1s, 7), 7U);
    p.next();
    EXPECT_EQ(p.due(12ms), 2U);
    EXPECT_EQ(p.due(10ms), 0U);
}

TEST(Pacer, DueAgreesWithNextAtEveryNanosecondAroundAnItem) {
    for (const double rate : {3.0, 7.0, 1e9 / 3.0, 123'456.789, 99'991.0}) {
        pacer p{rate, 17ns};
        for (int i = 0; i < 2000; ++i) p.next();
        const ns at = p.peek();
        ASSERT_EQ(p.due(at - 1ns), 0U) << rate;
        ASSERT_GE(p.due(at), 1U) << rate;
        pacer q = p;
        std::size_t stepped = 0;
        const ns later = at + 1us;
        while (q.peek() <= later) {
            q.next();
            ++stepped;
        }
        EXPECT_EQ(p.due(later), stepped) << rate;
    }
}

TEST(Pacer, PoissonIsReproducibleAndDiffersBySeed) {
    const auto a = first({100.0, 0ns, arrivals::poisson, 1}, 100);
    EXPECT_EQ(a, first({100.0, 0ns, arrivals::poisson, 1}, 100));
    EXPECT_NE(a, first({100.0, 0ns, arrivals::poisson, 2}, 100));
    EXPECT_TRUE(std::is_sorted(a.begin(), a.end()));
    EXPECT_GT(a.front(), 0ns);
}

TEST(Pacer, PoissonGapsHaveTheMeanAndSpreadOfTheRate) {
    const int n = 200'000;
    const auto times = first({1000.0, 0ns, arrivals::poisson, 7}, n);
    double sum = 0;
    double squares = 0;
    ns last{0};
    for (const ns t : times) {
        const auto gap = static_cast<double>((t - last).count());
        sum += gap;
        squares += gap * gap;
        last = t;
    }
    const double mean = sum / n;
    EXPECT_NEAR(mean, 1e6, 1e4);
    EXPECT_NEAR(std::sqrt(squares / n - mean * mean), 1e6, 2e4);  // exponential: deviation equals the mean
}

TEST(Pacer, PoissonDueAgreesWithNext) {
    pacer p{1e6, 0ns, arrivals::poisson, 3};
    const std::size_t due = p.due(1ms);
    EXPECT_EQ(p.due(1ms, 5), 5U);
    for (std::size_t i = 0; i < due; ++i) EXPECT_LE(p.next(), 1ms);
    EXPECT_GT(p.peek(), 1ms);
}

TEST(Pacer, ATimeBeyondTheClockStaysAtItsEnd) {
    pacer p{1e-12, 1s};
    p.next();
    EXPECT_EQ(p.peek(), ns::max());
    EXPECT_EQ(p.due(1h), 0U);
}

}  // namespace
}  // namespace headrace::measure
