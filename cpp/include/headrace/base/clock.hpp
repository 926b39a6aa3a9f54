// Time as a parameter.
//
// Decisions (pacer, sessions, token bucket) take `ns now`; only shells read a clock. Times are monotonic nanoseconds
// since the machine started (CLOCK_MONOTONIC), the same for every process of one host; an anchor ties them to the
// epoch.
// Threads:  every function from any thread.   Errors: none.
#pragma once

#include <chrono>
#include <cstdint>

namespace headrace {

using ns = std::chrono::nanoseconds;

/// CLOCK_MONOTONIC, about 20 ns a call.
ns monotonic_now() noexcept;

/// One moment read from both clocks. A run stores one anchor and hands it to its child processes, so that all of them
/// convert alike and a step of the wall clock during the run shifts nothing.
struct clock_anchor {
    ns monotonic{0};
    ns epoch{0};  ///< nanoseconds since 1970-01-01T00:00:00Z

    static clock_anchor now() noexcept;
    constexpr ns to_epoch(ns mono) const noexcept { return mono - monotonic + epoch; }
};

}  // namespace headrace
