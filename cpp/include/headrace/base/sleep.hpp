// Sleeping to an absolute moment, as exactly as the kernel can.
// Threads:  each function concerns the calling thread only.   Errors: none.
#pragma once

#include <headrace/base/clock.hpp>

namespace headrace {

/// Returns at or after `moment` (CLOCK_MONOTONIC); at once when it has passed. Signals do not shorten it.
void sleep_until(ns moment) noexcept;

/// Sets the calling thread's timer slack to 1 ns (the default of 50 us delays every short sleep by as much).
void use_exact_timers() noexcept;

}  // namespace headrace
