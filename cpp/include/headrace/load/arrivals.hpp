// When each request of an open loop is meant to start: a pacer whose beginning a ramp may bend, up to an end.
//
// Pure: time is a parameter.   Threads: one at a time.   Errors: the pacer's.
#pragma once

#include <algorithm>
#include <headrace/load/ramp.hpp>
#include <headrace/measure/pacer.hpp>
#include <limits>

namespace headrace::load {

class arrivals {
public:
    struct settings {
        double rate = 1.0;
        ns start{0};
        ns offset{0};  ///< of the first one, at full rate: threads take turns
        ns ramp{0};
        measure::arrivals kind = measure::arrivals::constant;
        std::uint64_t seed = 0;
        std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    };
    explicit arrivals(const settings& s)
        : pacer_(s.rate, s.offset, s.kind, s.seed), ramp_(s.ramp), start_(s.start), left_(s.most) {
        look();
    }

    /// The intended time of the next one; ns::max() when there is none left.
    ns peek() const noexcept { return next_; }

    /// The same, and moves on.
    ns take() noexcept {
        const ns taken = next_;
        if (left_ != 0) {
            --left_;
            pacer_.next();
            look();
        }
        return taken;
    }

    /// About how many are meant to start before `end`, at the full rate: for schedules too long to go through.
    std::uint64_t about_before(ns end) const noexcept {
        if (next_ >= end) return 0;
        const auto seconds = std::chrono::duration<double>(end - next_).count();
        return std::min(left_, static_cast<std::uint64_t>(seconds * pacer_.rate()) + 1);
    }

private:
    void look() noexcept { next_ = left_ == 0 ? ns::max() : start_ + ramp_.time_of(pacer_.peek()); }

    measure::pacer pacer_;
    ramp ramp_;
    ns start_;
    std::uint64_t left_;
    ns next_{0};
};

}  // namespace headrace::load
