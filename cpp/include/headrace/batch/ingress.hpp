// The way into a batcher: any thread pushes, one at a time takes all.
//
// A push is one compare-and-swap for a whole chain. Who takes everything may leave the entrance armed: then the next push,
// and only that one, is told to call the engine. While workers are busy nobody is told, and items simply accumulate.
// Threads:  push() from any thread; the rest by the holder of the engine's combiner; waiting() is a glance for spinners.
// Lifetime: borrows the items.   Errors: none.   Stop: close() refuses later pushes and answers with what came before.
#pragma once

#include <atomic>
#include <cstdint>
#include <headrace/batch/item.hpp>

namespace headrace::batch {

class ingress {
public:
    enum class entered : std::uint8_t { queued, call_engine, closed };

    /// The chain first..last in submission order, linked by `next`.
    entered push(item* first, item* last) noexcept {
        // The stack holds the newest on top, so a chain enters in reverse.
        item* const bottom = first;
        item* const top = reverse(first, last);
        std::uintptr_t head = head_.load(std::memory_order_relaxed);
        do {
            if (head == closed) {
                reverse(top, bottom);
                return entered::closed;
            }
            bottom->next = is_item(head) ? to_item(head) : nullptr;
        } while (!head_.compare_exchange_weak(head, reinterpret_cast<std::uintptr_t>(top), std::memory_order_acq_rel,
                                              std::memory_order_relaxed));
        return head == armed ? entered::call_engine : entered::queued;
    }

    /// Everything that was pushed, oldest first.
    item* take_all() noexcept {
        if (!waiting()) return nullptr;
        return oldest_first(head_.exchange(empty, std::memory_order_acq_rel));
    }
    /// False when something was pushed meanwhile: take it first.
    bool arm() noexcept {
        std::uintptr_t head = empty;
        return head_.compare_exchange_strong(head, armed, std::memory_order_acq_rel) || head == armed || head == closed;
    }
    void disarm() noexcept {
        std::uintptr_t head = armed;
        head_.compare_exchange_strong(head, empty, std::memory_order_acq_rel);
    }
    item* close() noexcept { return oldest_first(head_.exchange(closed, std::memory_order_acq_rel)); }

    bool waiting() const noexcept { return is_item(head_.load(std::memory_order_relaxed)); }
    bool is_closed() const noexcept { return head_.load(std::memory_order_relaxed) == closed; }

private:
    static constexpr std::uintptr_t empty = 0, armed = 1, closed = 2;

    static bool is_item(std::uintptr_t head) noexcept { return head > closed; }
    static item* to_item(std::uintptr_t head) noexcept { return reinterpret_cast<item*>(head); }
    static item* reverse(item* first, item* last) noexcept {
        item* reversed = nullptr;
        for (item* it = first;;) {
            item* const rest = it->next;
            it->next = reversed;
            reversed = it;
            if (it == last) return reversed;
            it = rest;
        }
    }
    static item* oldest_first(std::uintptr_t head) noexcept {
        item* reversed = nullptr;
        for (item* it = is_item(head) ? to_item(head) : nullptr; it != nullptr;) {
            item* const rest = it->next;
            it->next = reversed;
            reversed = it;
            it = rest;
        }
        return reversed;
    }

    alignas(64) std::atomic<std::uintptr_t> head_{empty};
};

}  // namespace headrace::batch
