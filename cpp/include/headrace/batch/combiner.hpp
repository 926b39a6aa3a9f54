// Mutual exclusion without waiting: who finds it taken leaves word, and the holder looks again before it leaves.
//
// So a thread that holds the GIL, or an I/O thread, never waits for another one to decide; and decisions are made by one
// thread at a time, as a state machine wants it.
// Threads:  every function from any thread; leave() by the holder.   Errors: none.
#pragma once

#include <atomic>
#include <cstdint>

namespace headrace::batch {

class combiner {
public:
    /// True: the caller holds it. False: the holder will look again, and sees what the caller has done before.
    [[nodiscard]] bool enter_or_mark() noexcept {
        return (word_.fetch_or(held | again, std::memory_order_acq_rel) & held) == 0;
    }
    [[nodiscard]] bool try_enter() noexcept {
        std::uint32_t expected = free;
        return word_.compare_exchange_strong(expected, held, std::memory_order_acq_rel, std::memory_order_relaxed);
    }
    /// The holder is about to look at everything: earlier marks are answered.
    void look() noexcept { word_.fetch_and(~again, std::memory_order_acq_rel); }
    /// False: somebody left word since look(), so the caller still holds it and looks again.
    [[nodiscard]] bool leave() noexcept {
        std::uint32_t expected = held;
        return word_.compare_exchange_strong(expected, free, std::memory_order_acq_rel);
    }

private:
    static constexpr std::uint32_t free = 0, held = 1, again = 2;
    alignas(64) std::atomic<std::uint32_t> word_{free};
};

}  // namespace headrace::batch
