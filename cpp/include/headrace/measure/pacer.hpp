// The schedule of a load: when item n is meant to start.
//
// Absolute: t_n = start + n / rate is computed from n each time, so neither rounding nor lateness shifts later items.
// Poisson arrivals have exponential gaps (mean 1 / rate) from a seed; the same seed gives the same schedule.
// Pure: no clock, no sleep. paced_driver.hpp compares a schedule with the time; base/sleep.hpp sleeps.
// Threads:  one at a time.
// Errors:   the constructor throws std::invalid_argument for what check() names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <limits>

namespace headrace::measure {

enum class arrivals { constant, poisson };

class pacer {
public:
    /// `rate` items per second from `start` on; constant arrivals put the first item at `start` itself.
    pacer(double rate, ns start, arrivals kind = arrivals::constant, std::uint64_t seed = 0);

    /// Why this rate cannot be kept, or no failure: 0, negative, not finite, or above 1e9 (one item per ns).
    static failure check(double rate);

    /// The intended time of the next item.
    ns peek() const noexcept { return next_; }

    /// The same, and moves on to the item after it.
    ns next() noexcept;

    /// Items whose intended time is <= now and that next() has not returned yet; counts no further than `limit`.
    std::size_t due(ns now, std::size_t limit = std::numeric_limits<std::size_t>::max()) const noexcept;

    std::uint64_t issued() const noexcept { return issued_; }  ///< items that next() has returned
    double rate() const noexcept { return rate_; }
    ns start() const noexcept { return start_; }
    arrivals kind() const noexcept { return kind_; }

private:
    ns constant_time(std::uint64_t n) const noexcept;
    std::size_t constant_due(ns now, std::size_t limit) const noexcept;
    void draw_gap() noexcept;

    double rate_;
    ns start_;
    arrivals kind_;
    std::uint64_t random_;
    std::uint64_t issued_ = 0;
    long double elapsed_ = 0.0L;  ///< Poisson: ns from start to the next item
    ns next_;
};

}  // namespace headrace::measure
