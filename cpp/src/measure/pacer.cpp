#include <algorithm>
#include <cmath>
#include <headrace/measure/pacer.hpp>
#include <stdexcept>

namespace headrace::measure {
namespace {

constexpr long double second = 1e9L;

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014): one word of state,
/// and the same numbers with every standard library.
std::uint64_t next_random(std::uint64_t& state) noexcept {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/// Times past the end of the clock's range stay at its end.
ns after(ns start, long double elapsed) noexcept {
    const auto room = static_cast<long double>((ns::max() - std::max(start, ns{0})).count());
    return elapsed < room ? start + ns{static_cast<ns::rep>(elapsed)} : ns::max();
}

}  // namespace

pacer::pacer(double rate, ns start, arrivals kind, std::uint64_t seed)
    : rate_(rate), start_(start), kind_(kind), random_(seed), next_(start) {
    if (const auto bad = check(rate)) throw std::invalid_argument(bad.message);
    if (kind_ == arrivals::poisson) draw_gap();
}

failure pacer::check(double rate) {
    if (std::isfinite(rate) && rate > 0.0 && rate <= 1e9) return {};
    return failure::of(errc::invalid_argument, "rate must be above 0 and at most 1e9 per second");
}

ns pacer::next() noexcept {
    const ns now = next_;
    ++issued_;
    if (kind_ == arrivals::poisson) {
        draw_gap();
    } else {
        next_ = constant_time(issued_);
    }
    return now;
}

// 64 bits of mantissa: n * 1e9 is exact up to 1.8e10 items, and the quotient is right to well under 1 ns.
ns pacer::constant_time(std::uint64_t n) const noexcept {
    return after(start_, static_cast<long double>(n) * second / rate_);
}

void pacer::draw_gap() noexcept {
    const auto uniform = static_cast<double>((next_random(random_) >> 11) + 1) * 0x1p-53;  // (0, 1]
    elapsed_ += static_cast<long double>(-std::log(uniform)) * second / rate_;
    next_ = after(start_, elapsed_);
}

std::size_t pacer::due(ns now, std::size_t limit) const noexcept {
    if (now < next_ || limit == 0) return 0;
    if (kind_ == arrivals::constant) return constant_due(now, limit);
    pacer ahead = *this;
    std::size_t n = 0;
    while (n < limit && ahead.peek() <= now) {
        ahead.next();
        ++n;
    }
    return n;
}

std::size_t pacer::constant_due(ns now, std::size_t limit) const noexcept {
    // The inverse of constant_time, put right where the two round differently.
    const auto estimate = static_cast<long double>((now - start_).count()) * rate_ / second;
    auto end = std::max(static_cast<std::uint64_t>(estimate), issued_);
    while (end > issued_ && constant_time(end) > now) --end;
    for (int step = 0; step < 2 && constant_time(end) <= now; ++step) ++end;
    return std::min<std::uint64_t>(end - issued_, limit);
}

}  // namespace headrace::measure
