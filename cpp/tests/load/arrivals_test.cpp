#include <gtest/gtest.h>

#include <headrace/load/arrivals.hpp>
#include <vector>

namespace headrace::load {
namespace {

using namespace std::chrono_literals;

std::vector<ns> first(std::size_t n, const arrivals::settings& s) {
    arrivals a(s);
    std::vector<ns> out;
    while (out.size() < n) out.push_back(a.take());
    return out;
}

TEST(arrivals, without_a_ramp_are_the_pacers) {
    EXPECT_EQ(first(3, {.rate = 1000, .start = 5s}), (std::vector<ns>{5s, 5s + 1ms, 5s + 2ms}));
}

TEST(arrivals, threads_take_turns_in_one_schedule) {
    EXPECT_EQ(first(2, {.rate = 500, .start = 5s, .offset = 1ms}), (std::vector<ns>{5s + 1ms, 5s + 3ms}));
}

TEST(arrivals, end_after_the_given_number) {
    arrivals a({.rate = 1000, .most = 2});
    EXPECT_EQ(a.take(), 0ns);
    EXPECT_EQ(a.take(), 1ms);
    EXPECT_EQ(a.peek(), ns::max());
    EXPECT_EQ(a.take(), ns::max());
}

TEST(arrivals, a_long_rest_is_counted_by_its_rate) {
    arrivals a({.rate = 1e6, .start = 1s, .most = 5'000'000});
    EXPECT_EQ(a.about_before(1s), 0U);
    EXPECT_EQ(a.about_before(2s), 1'000'001U);
    EXPECT_EQ(a.about_before(100s), 5'000'000U);
    a.take();
    EXPECT_EQ(a.about_before(1s + 1us), 0U);
}

TEST(arrivals, a_ramp_offers_half_the_load_within_its_time) {
    const auto times = first(3001, {.rate = 1000, .ramp = 2s});
    const auto by = [&](ns t) { return std::count_if(times.begin(), times.end(), [&](ns at) { return at < t; }); };
    EXPECT_NEAR(static_cast<double>(by(1s)), 250, 2);   // t^2 / (2 length) of 1000/s
    EXPECT_NEAR(static_cast<double>(by(2s)), 1000, 2);  // half of 2000
    EXPECT_NEAR(static_cast<double>(by(3s)), 2000, 2);  // and the full rate from there on
    EXPECT_EQ(times[3000] - times[2999], 1ms);
}

TEST(arrivals, a_ramp_never_goes_back) {
    const auto times = first(5000, {.rate = 1e6, .ramp = 3ms, .kind = measure::arrivals::poisson, .seed = 7});
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
}

TEST(ramp, of_no_length_changes_nothing) {
    EXPECT_EQ(ramp().time_of(7ms), 7ms);
    EXPECT_EQ(ramp(10ms).time_of(5ms), 10ms);
    EXPECT_EQ(ramp(10ms).time_of(6ms), 11ms);
}

}  // namespace
}  // namespace headrace::load
