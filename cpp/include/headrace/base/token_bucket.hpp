// Rate limit with a burst: `rate` tokens a second flow in, at most `burst` are kept.
//
// Pure: time is a parameter, so the same calls give the same answers. Between two full moments the level is computed
// from one origin, never by adding up intervals, so rounding does not drift.
// Threads:  one at a time; guard it from outside when shared.
// Errors:   the constructor throws std::invalid_argument for what check() names; nothing else fails.
#pragma once

#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>

namespace headrace {

class token_bucket {
public:
    /// Starts full at `now`.
    token_bucket(double rate, double burst, ns now);

    /// Why these settings cannot work, or no failure: both must be finite, `rate` > 0 per second, `burst` >= 1 token.
    static failure check(double rate, double burst);

    /// When `n` tokens may be taken: `now` when they are there already. A request above `burst` waits for a full bucket
    /// and then leaves it in debt, so it is delayed and the long-run rate holds, instead of waiting for ever.
    ns ready_at(double n, ns now) const noexcept;

    /// Takes `n` tokens and returns true when ready_at(n, now) <= now; else takes nothing.
    bool try_take(double n, ns now) noexcept;

    /// Tokens there at `now`; negative while in debt.
    double level(ns now) const noexcept;

    double rate() const noexcept { return rate_; }
    double burst() const noexcept { return burst_; }

private:
    long double inflow(ns now) const noexcept;  ///< tokens since origin_
    long double level_at(ns now) const noexcept;

    double rate_;
    double burst_;
    ns origin_;                 ///< a moment at which the bucket was full
    long double taken_ = 0.0L;  ///< tokens taken since origin_
};

}  // namespace headrace
