#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <headrace/measure/histogram.hpp>
#include <numeric>
#include <random>

namespace headrace::measure {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
    const histogram h;
    EXPECT_EQ(h.count(), 0U);
    EXPECT_EQ(h.min(), 0);
    EXPECT_EQ(h.max(), 0);
    EXPECT_EQ(h.mean(), 0.0);
    EXPECT_EQ(h.stddev(), 0.0);
    EXPECT_EQ(h.percentile(50), 0);
}

TEST(Histogram, SlotsAreContiguousAndAtMostAThousandthWide) {
    const auto slots = histogram{}.counts().size();
    EXPECT_EQ(histogram::lower_bound(0), 0);
    EXPECT_EQ(histogram::lower_bound(slots), histogram::highest + 1);
    for (std::size_t i = 0; i < slots; ++i) {
        const auto low = histogram::lower_bound(i);
        const auto width = histogram::lower_bound(i + 1) - low;
        ASSERT_GE(width, 1) << i;
        ASSERT_LE(static_cast<double>(width - 1), static_cast<double>(low) / 1024.0) << i;
    }
}

TEST(Histogram, CountsEachBoundaryInItsOwnSlot) {
    const auto slots = histogram{}.counts().size();
    for (std::size_t i = 0; i < slots; i += 97) {
        histogram h;
        h.record(histogram::lower_bound(i));
        h.record(histogram::lower_bound(i + 1) - 1);
        ASSERT_EQ(h.counts()[i], 2U) << i;
    }
}

TEST(Histogram, CountsValuesOutOfRangeApart) {
    histogram h;
    h.record(-1);
    h.record(std::numeric_limits<std::int64_t>::min());
    h.record(0);
    h.record(histogram::highest);
    h.record(histogram::highest + 1);
    EXPECT_EQ(h.below(), 2U);
    EXPECT_EQ(h.above(), 1U);
    EXPECT_EQ(h.count(), 2U);
    EXPECT_EQ(h.total(), 5U);
    EXPECT_EQ(h.min(), 0);
    EXPECT_EQ(h.max(), histogram::highest);
}

TEST(Histogram, PercentilesUseTheRankOfTheValue) {
    histogram h;
    for (int v = 1; v <= 1000; ++v) h.record(v);
    EXPECT_EQ(h.percentile(0), 1);
    EXPECT_EQ(h.percentile(50), 500);
    EXPECT_EQ(h.percentile(99.9), 999);
    EXPECT_EQ(h.percentile(99.91), 1000);
    EXPECT_EQ(h.percentile(100), 1000);
    EXPECT_EQ(h.percentile(-5), 1);
    EXPECT_EQ(h.percentile(500), 1000);
}

TEST(Histogram, PercentilesAreWithinAThousandthOfTheTruth) {
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> latency(12.0, 2.0);
    histogram h;
    std::vector<std::int64_t> values;
    for (int i = 0; i < 20'000; ++i) {
        values.push_back(std::min<std::int64_t>(static_cast<std::int64_t>(latency(random)), histogram::highest));
        h.record(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double p : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
        const auto truth = values[static_cast<std::size_t>(std::ceil(p * 200.0 - 1e-6)) - 1];
        EXPECT_GE(h.percentile(p), truth) << p;
        EXPECT_LE(static_cast<double>(h.percentile(p)), static_cast<double>(truth) * (1.0 + 1.0 / 1024)) << p;
    }
}

TEST(Histogram, MeanAndDeviationAreExactForLargeNearlyEqualValues) {
    histogram h;
    for (const std::int64_t v : {1, 2, 3, 4}) h.record(3'599'999'999'000 + v);
    EXPECT_DOUBLE_EQ(h.mean(), 3'599'999'999'002.5);
    EXPECT_DOUBLE_EQ(h.stddev(), std::sqrt(5.0 / 3.0));
}

TEST(Histogram, RecordNEqualsRecordingNTimes) {
    histogram one;
    histogram many;
    for (int i = 0; i < 7; ++i) one.record(123'456'789);
    many.record_n(123'456'789, 7);
    many.record_n(55, 0);
    one.record(-3);
    one.record(-3);
    many.record_n(-3, 2);
    EXPECT_EQ(one, many);
}

TEST(Histogram, MergeEqualsRecordingAllInOne) {
    histogram a;
    histogram b;
    histogram all;
    for (std::int64_t v = -10; v < 5'000'000'000'000; v = v * 3 / 2 + 17) {
        (v % 2 == 0 ? a : b).record(v);
        all.record(v);
    }
    a.merge(b);
    EXPECT_EQ(a, all);
    a.merge(histogram{});
    EXPECT_EQ(a, all);
    a.reset();
    EXPECT_EQ(a, histogram{});
}

TEST(HistogramBytes, SurviveARoundTrip) {
    histogram h;
    for (std::int64_t v = -10; v < 5'000'000'000'000; v = v * 3 / 2 + 17)
        h.record_n(v, 1 + static_cast<unsigned>(v & 0xFFFF));
    for (const auto& original : {h, histogram{}}) {
        histogram copy;
        copy.record(1);
        ASSERT_FALSE(histogram::decode(original.encode(), copy));
        EXPECT_EQ(copy, original);
    }
}

TEST(HistogramBytes, AreRefusedWhenCutOrChangedAnywhere) {
    histogram h;
    for (const std::int64_t v : {0, 5, 5, 70'000}) h.record(v);
    const std::string good = h.encode();
    histogram out;
    for (std::size_t i = 0; i < good.size(); ++i) {
        EXPECT_EQ(histogram::decode(good.substr(0, i), out).code, errc::invalid_argument) << i;
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 0x10);
        EXPECT_EQ(histogram::decode(bad, out).code, errc::invalid_argument) << i;
    }
    EXPECT_EQ(out, histogram{}) << "a refused histogram must not be half taken";
}

TEST(HistogramText, ListsThePercentileDistribution) {
    histogram h;
    for (int i = 0; i < 98; ++i) h.record(1'000'000);
    h.record(2'000'000);
    h.record(3'000'000);
    const std::string text = h.to_hgrm(1e6, 1);
    EXPECT_TRUE(text.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n")) << text;
    EXPECT_NE(text.find("       1.000 0.000000000000         98           1.00\n"), std::string::npos) << text;
    EXPECT_NE(text.find("       1.000 0.500000000000         98           2.00\n"), std::string::npos) << text;
    EXPECT_NE(text.find("       3.000 1.000000000000        100\n"), std::string::npos) << text;
    EXPECT_NE(text.find("#[Mean    =        1.030, StdDeviation   =        0.223]\n"), std::string::npos) << text;
    EXPECT_NE(text.find("#[Max     =        3.000, Total count    =          100]\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("Below"), std::string::npos);
}

TEST(HistogramText, OfNothingIsHeaderAndFooterAndSaysWhatWasOutOfRange) {
    histogram h;
    h.record(-1);
    const std::string text = h.to_hgrm();
    EXPECT_NE(text.find("Total count    =            0]"), std::string::npos) << text;
    EXPECT_NE(text.find("#[Below 0 =            1, Above 1 h      =            0]\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace headrace::measure
