// A load that begins with nothing and grows linearly to its full rate.
//
// During the ramp the rate at time t is rate * t / length, so t^2 / (2 length) seconds' worth of the full load are due. A
// schedule at the full rate is bent by that map: constant arrivals become a linear growth, Poisson arrivals a Poisson
// process with a growing rate (time change of a Poisson process; Cox and Isham, "Point Processes", 1980, section 4.2).
// Threads:  pure.   Errors: none.
#pragma once

#include <cmath>
#include <headrace/base/clock.hpp>

namespace headrace::load {

class ramp {
public:
    explicit constexpr ramp(ns length = ns{0}) noexcept : length_(length) {}

    /// When the load that the full rate would offer within `work` has been offered; both from the start on.
    ns time_of(ns work) const noexcept {
        if (length_ <= ns{0}) return work;
        const auto half = length_ / 2;
        if (work >= half) return work + half;
        const auto w = static_cast<long double>(work.count());
        const auto l = static_cast<long double>(length_.count());
        return ns{static_cast<ns::rep>(std::sqrt(2.0L * w * l))};
    }

private:
    ns length_;
};

}  // namespace headrace::load
