// A native operation on its way back to Python, and the list that brings it to one event loop. No Python in here.
//
// An engine makes a pending_result, a binding wraps it in a headrace.Future (future.hpp), and the engine finishes it
// exactly once. Whether it completes or is cancelled is decided by one compare-and-swap; whoever comes second is told.
// The loop is chosen late (at await), so a result that nobody awaits costs no hand-over at all.
// Threads:  finish() and finish_chain() from any thread, never with the GIL needed; the rest says so.
// Lifetime: two references, the engine's (given up by finish) and the Future's; the object deletes itself.
// Errors:   none. What a result failed with is its own business: to_python() raises it.
// Stop:     a closed queue refuses what comes late; that is buried and freed by whoever holds the GIL next.
#pragma once

#include <atomic>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <memory>

struct _object;  // PyObject

namespace headrace::bridge {

class completion_queue;

class pending_result {
public:
    /// Where the destructor may run: with_gil when it drops Python objects.
    enum class destruction : std::uint8_t { anywhere, with_gil };

    /// A result has a Future that waits for it. An errand has none: the loop's drain runs it, and it has one reference, its
    /// queue's, which the drain gives up.
    enum class role : std::uint8_t { result, errand };

    explicit pending_result(destruction where = destruction::anywhere, role what = role::result) noexcept
        : references_(what == role::result ? 2 : 1), destruction_(where), role_(what) {}
    pending_result(const pending_result&) = delete;
    pending_result& operator=(const pending_result&) = delete;

    /// Exactly once per result, also when it was cancelled: gives the engine's reference up.
    static void finish(pending_result& r) noexcept;
    /// The same for results linked by `next`, oldest first: one hand-over per event loop.
    static void finish_chain(pending_result* first) noexcept;

    /// The caller gave it up; the engine may skip the work, but still finishes it.
    bool cancelled() const noexcept { return (word_.load(std::memory_order_acquire) & cancelled_bit) != 0; }
    bool done() const noexcept { return (word_.load(std::memory_order_acquire) & done_bits) != 0; }

    /// The engine's until finish(), the bridge's afterwards.
    pending_result* next = nullptr;

    // For the bridge and its tests.

    /// With the GIL, once: a new reference, or null with a Python error set.
    virtual _object* to_python() = 0;
    /// With the GIL, once, when a cancel has won. Must neither block nor take a lock that others hold for long.
    virtual void on_cancel() noexcept {}
    /// Of an errand: on its loop's thread, with the GIL, outside any task unless `nested`. on_cancel() instead when the loop
    /// is gone. -1: KeyboardInterrupt or SystemExit, which leaves the loop; other errors are its own business.
    virtual int run(bool nested) {
        static_cast<void>(nested);
        return 0;
    }
    bool is_errand() const noexcept { return role_ == role::errand; }
    bool is_bound() const noexcept { return (word_.load(std::memory_order_acquire) & ~flags) != 0; }

    /// True: this cancel decided it, before any finish().
    bool try_cancel() noexcept;
    /// Completion will go to this queue. False: it is done already. Once; on the thread of the queue's owner.
    bool bind(completion_queue& queue) noexcept;
    /// Waits without the GIL; false when `timeout` passed first.
    bool wait(ns timeout) noexcept;
    void keep() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    /// Drops a reference with the GIL held, or without.
    void release_with_gil() noexcept;
    void release() noexcept;

    /// The Future whose callbacks are to be called, a strong reference; null when nobody waits any more.
    _object* take_future() noexcept { return future_.exchange(nullptr, std::memory_order_acq_rel); }
    void set_future(_object* future) noexcept { future_.store(future, std::memory_order_release); }

protected:
    virtual ~pending_result() = default;

private:
    friend class completion_queue;
    friend void free_buried() noexcept;
    static constexpr std::uintptr_t finished_bit = 1, cancelled_bit = 2, parked_bit = 4, done_bits = 3, flags = 7;

    completion_queue* settle() noexcept;
    void unpark() noexcept;

    std::atomic<std::uintptr_t> word_{0};  // the queue's address and the flags
    std::atomic<_object*> future_{nullptr};
    std::atomic<std::uint32_t> references_;
    std::atomic<std::uint32_t> unparked_{0};  // a futex
    const destruction destruction_;
    const role role_;
    pending_result* bound_next_ = nullptr;  // the queue's list of what is bound to it
    pending_result* bound_previous_ = nullptr;
};

/// What is finished for one event loop: a lock-free list and an eventfd that is written once per sleep of the loop.
/// Its owner is the loop's thread. Queues are recycled and never freed: a late writer may still hold the eventfd.
class completion_queue {
public:
    /// Null when there is no file descriptor left (errno).
    static std::unique_ptr<completion_queue> make() noexcept;
    ~completion_queue();
    completion_queue(const completion_queue&) = delete;
    completion_queue& operator=(const completion_queue&) = delete;

    /// Readable while the owner should take().
    int fd() const noexcept { return fd_; }

    /// Any thread. A chain linked by `next`, newest first. False: closed, nothing was taken.
    bool push(pending_result* newest, pending_result* oldest) noexcept;

    // The owner's.
    /// Everything finished, oldest first; null when there is nothing.
    pending_result* take() noexcept;
    /// Before sleeping, with everything taken: the next push will wake. False: something came; fd() stays readable.
    bool arm() noexcept;
    /// Refuses from now on; what was finished and not taken, oldest first.
    pending_result* close() noexcept;
    /// A closed queue with nothing bound starts again, armed.
    void reopen() noexcept;
    void unlink(pending_result& r) noexcept;
    /// The first of what is bound and not unlinked, and the one after another.
    pending_result* first_bound() const noexcept { return bound_; }
    static pending_result* next_bound(const pending_result& r) noexcept { return r.bound_next_; }
    /// Times that the eventfd was written.
    std::uint64_t wakes() const noexcept { return wakes_.load(std::memory_order_relaxed); }

private:
    friend class pending_result;
    friend void free_buried() noexcept;
    explicit completion_queue(int fd) noexcept : fd_(fd) {}
    static pending_result* reverse(std::uintptr_t head) noexcept;
    void link(pending_result& r) noexcept;
    void wake() noexcept;

    static constexpr std::uintptr_t empty = 0, armed = 1, closed = 2;

    alignas(64) std::atomic<std::uintptr_t> head_{armed};  // one of the above, or the newest result
    std::atomic<std::uint64_t> wakes_{0};
    const int fd_;
    pending_result* bound_ = nullptr;
};

/// With the GIL: frees what finished after its queue was closed, and what engines let go of but must not destroy.
void free_buried() noexcept;
bool any_buried() noexcept;
/// Called, from any thread and without the GIL, when the first result was buried.
void on_first_buried(void (*callback)()) noexcept;

}  // namespace headrace::bridge
