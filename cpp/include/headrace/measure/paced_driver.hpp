// Keeps a loop to its schedule: what is due now, when to wake up, and how late each item was taken.
//
// Late items are due at once and none is skipped, so a stall shows as lateness instead of as load that was never
// offered (coordinated omission). A loop:
//
//     for (;;) {
//         const ns now = monotonic_now();
//         for (std::size_t n = driver.due(now, room); n != 0; --n) send(driver.take(monotonic_now()));
//         sleep_until(driver.wake_at());
//     }
//
// Pure: time is a parameter.   Threads: one at a time.   Errors: none.
#pragma once

#include <headrace/measure/histogram.hpp>
#include <headrace/measure/pacer.hpp>

namespace headrace::measure {

class paced_driver {
public:
    explicit paced_driver(const pacer& schedule) : pacer_(schedule) {}

    /// Items to start now, at most `limit` (a window that is nearly full, for example).
    std::size_t due(ns now, std::size_t limit = std::numeric_limits<std::size_t>::max()) const noexcept {
        return pacer_.due(now, limit);
    }

    /// The intended time of the next item: sleep no longer than until then.
    ns wake_at() const noexcept { return pacer_.peek(); }

    /// Takes the next item: returns its intended time and records now - intended.
    /// Call it for items that are due; an early take is counted in lateness().below().
    ns take(ns now) noexcept {
        const ns intended = pacer_.next();
        lateness_.record((now - intended).count());
        return intended;
    }

    std::uint64_t taken() const noexcept { return pacer_.issued(); }
    const histogram& lateness() const noexcept { return lateness_; }  ///< ns from intended to taken
    const pacer& schedule() const noexcept { return pacer_; }

private:
    pacer pacer_;
    histogram lateness_;
};

}  // namespace headrace::measure
