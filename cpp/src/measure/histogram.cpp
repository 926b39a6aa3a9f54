#include <headrace/measure/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace headrace::measure {

void histogram::merge(const histogram& other) noexcept {
    for (std::size_t i = 0; i < slots; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    below_ += other.below_;
    above_ += other.above_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    sum_ += other.sum_;
    squares_ += other.squares_;
}

void histogram::reset() noexcept {
    std::fill(counts_.begin(), counts_.end(), 0);
    count_ = below_ = above_ = 0;
    min_ = highest + 1;
    max_ = -1;
    sum_ = squares_ = 0;
}

double histogram::mean() const noexcept {
    static_assert(slot_of(static_cast<std::uint64_t>(highest)) + 1 == slots);
    if (count_ == 0) return 0.0;
    return static_cast<double>(static_cast<long double>(sum_) / static_cast<long double>(count_));
}

// With q = floor(mean) and r = sum - n q, the squares about the mean are S2 - 2 q S + n q^2 - r^2 / n. The first three
// terms are whole numbers and exact (modulo 2^128, and the result fits), so nothing is lost to cancellation.
double histogram::stddev() const noexcept {
    if (count_ < 2) return 0.0;
    const uint128 n = count_;
    const uint128 q = sum_ / n;
    const auto r = static_cast<long double>(sum_ - q * n);
    const auto about_q = static_cast<long double>(squares_ - 2 * q * sum_ + n * q * q);
    const long double about_mean = std::max(0.0L, about_q - r * r / static_cast<long double>(n));
    return static_cast<double>(std::sqrt(about_mean / static_cast<long double>(count_ - 1)));
}

std::int64_t histogram::percentile(double p) const noexcept {
    if (count_ == 0) return 0;
    // 99.9 % of 1000 values is rank 999, although 99.9 as a double is a little more than that.
    const double below_p = std::nextafter(std::clamp(p, 0.0, 100.0), 0.0);
    const long double rank = std::ceil(static_cast<long double>(below_p) * static_cast<long double>(count_) / 100.0L);
    const auto wanted = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rank), 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = slot_of(static_cast<std::uint64_t>(min_)); i < slots; ++i) {
        seen += counts_[i];
        if (seen >= wanted) return std::clamp(lower_bound(i + 1) - 1, min_, max_);
    }
    return max_;
}

}  // namespace headrace::measure
