#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <headrace/measure/statistics.hpp>
#include <limits>
#include <random>

namespace headrace::measure {
namespace {

std::int64_t nearest_rank(std::vector<std::int64_t> v, std::uint32_t p) {
    std::sort(v.begin(), v.end());
    return v[(v.size() * p + 9999) / 10000 - 1];
}

void expect_exact(const std::vector<std::int64_t>& values) {
    const statistics s = summarize(values);
    ASSERT_EQ(s.count, values.size());
    EXPECT_EQ(s.min, *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(s.max, *std::max_element(values.begin(), values.end()));
    for (std::size_t i = 0; i < reported_percentiles.size(); ++i)
        EXPECT_EQ(s.percentiles[i], nearest_rank(values, reported_percentiles[i])) << reported_percentiles[i];
}

TEST(Statistics, PercentilesAreExactWhateverTheSpread) {
    std::mt19937_64 random(7);
    for (const double scale : {1.0, 1e3, 1e6, 1e9, 1e15}) {
        for (const std::size_t n : {1U, 2U, 3U, 100U, 1001U}) {
            std::exponential_distribution<double> pick(1 / scale);
            std::vector<std::int64_t> values(n);
            for (auto& v : values) v = static_cast<std::int64_t>(pick(random)) - static_cast<std::int64_t>(scale / 2);
            expect_exact(values);
        }
    }
    expect_exact({std::numeric_limits<std::int64_t>::min() + 1, -1, 0, 1, std::numeric_limits<std::int64_t>::max()});
    expect_exact(std::vector<std::int64_t>(1000, 42));
}

TEST(Statistics, DeviationIsTheSamplesAndKeepsItsDigits) {
    EXPECT_FALSE(summarize({}).stddev);
    EXPECT_FALSE(summarize({5}).stddev);
    const statistics s = summarize({2, 4, 4, 4, 5, 5, 7, 9});
    EXPECT_DOUBLE_EQ(s.avg, 5);
    EXPECT_DOUBLE_EQ(*s.stddev, std::sqrt(32.0 / 7));
    // Far from zero, where summing squares would lose everything.
    const std::int64_t far = 4'000'000'000'000'000;
    EXPECT_DOUBLE_EQ(*summarize({far + 1, far + 2, far + 3}).stddev, 1);
}

TEST(Statistics, ALogOnDiskGivesTheSameFigures) {
    block_pool none(0);
    value_log log(none, 2, ::testing::TempDir());
    std::vector<std::int64_t> values;
    for (std::int64_t i = 0; i < 50'000; ++i) {
        values.push_back(i * i % 100'003);
        log.add(static_cast<std::size_t>(i % 2), values.back());
    }
    statistics on_disk;
    const failure f = log.summarize(on_disk);
    EXPECT_FALSE(f) << f.message;
    const statistics in_memory = summarize(values);
    EXPECT_EQ(on_disk.percentiles, in_memory.percentiles);
    EXPECT_EQ(on_disk.min, in_memory.min);
    EXPECT_DOUBLE_EQ(on_disk.avg, in_memory.avg);
    EXPECT_NEAR(*on_disk.stddev, *in_memory.stddev, 1e-6);
}

}  // namespace
}  // namespace headrace::measure
