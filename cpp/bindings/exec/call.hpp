// What a Future of an executor stands for, and how those that somebody watches get told.
//
// Mostly nobody watches: a thread asks for the result and the call is turned into Python objects there. Once a Future's
// condition, waiters or callbacks were touched (wait(), as_completed(), add_done_callback(), asyncio), the call is handed
// to one thread of this process that calls Future._deliver() as soon as it is done.
// Threads:  as each function says.
// Lifetime: counted; what the destructor drops needs no GIL.
// Stop:     stop_delivery() at exit: what is done later is delivered to nobody.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <headrace/base/clock.hpp>

namespace headrace::bindings {

enum class call_state : std::uint8_t { pending, running, cancelled, finished };

class call {
public:
    call() = default;
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    // Any thread.
    virtual call_state state() const noexcept = 0;
    bool done() const noexcept { return state() >= call_state::cancelled; }
    // Without the GIL.
    virtual bool wait(ns timeout) noexcept = 0;
    /// True: it is cancelled, now or before.
    virtual bool cancel() noexcept = 0;
    /// Somebody watches: it must get on without a waiter. For those that say so with needs_haste().
    virtual void hasten() noexcept {}
    // With the GIL.
    virtual bool needs_haste() const noexcept { return false; }
    /// Once, when finished: a new reference to the result, or null with what was raised.
    virtual PyObject* take() = 0;
    /// False: it is done already, and nobody will be told. Otherwise the future is kept alive until it was.
    bool watch(PyObject* future) noexcept;

    call* next_delivered = nullptr;
    /// By delivery, with the GIL: the future, once.
    PyObject* take_watcher() noexcept { return std::exchange(watcher_, nullptr); }

protected:
    virtual ~call() = default;
    /// Any thread, once, after state() says so.
    void tell() noexcept;
    /// The same with the GIL, on a thread that runs user code: tells here.
    void tell_here() noexcept;

private:
    static constexpr std::uint8_t watched = 1, told = 2;
    std::atomic<std::uint32_t> references_{1};
    std::atomic<std::uint8_t> flags_{0};
    PyObject* watcher_ = nullptr;
};

/// With the GIL: calls Future._deliver().
void deliver(call& c) noexcept;

/// With the GIL; joins the thread.
void stop_delivery() noexcept;

}  // namespace headrace::bindings
