// Whether something has been settled, and a place to sleep until it is: one 32-bit word.
// Threads:  settle() once, the rest from any thread.
// Lifetime: whoever sees settled() may free it; settle() does not touch it afterwards.   Errors: none.
#pragma once

#include <atomic>
#include <cstdint>
#include <headrace/base/clock.hpp>

namespace headrace::exec {

class settled_word {
public:
    bool settled() const noexcept { return word_.load(std::memory_order_acquire) == done; }
    /// Wakes all who sleep.
    void settle() noexcept;
    /// Returns when settled, when nudged, or after `timeout`.
    void sleep(ns timeout) noexcept;
    /// Those who sleep wake and look around.
    void nudge() noexcept;

private:
    static constexpr std::uint32_t pending = 0, awaited = 1, done = 2;
    std::atomic<std::uint32_t> word_{pending};  // a futex
};

}  // namespace headrace::exec
