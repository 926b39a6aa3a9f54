// The way of units to their event loop: a lock-free list, and one wake of the loop for all that came while it was busy.
//
// Threads:  start() and cancel() from any thread, without the GIL; the rest on the loop's thread, with it.
// Lifetime: held by its graph and by the units on their way.
// Errors:   when the loop is closed, units fail with errc::closed.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <memory>

namespace headrace::bindings {

class python_unit;

class loop_mail : public std::enable_shared_from_this<loop_mail> {
public:
    /// For the loop that runs in this thread. Null with an error set.
    static std::shared_ptr<loop_mail> make(PyObject* loop);

    /// The unit's coroutine is made and run by the loop.
    void start(python_unit& u) noexcept;
    /// The unit was cancelled: its task, if there is one, is too.
    void cancel(python_unit& u) noexcept;

    /// For comparing only.
    const void* loop() const noexcept { return loop_; }
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

    // For the bell's callback.
    void open_mail();
    void close() noexcept;

private:
    class bell;
    struct letter;

    explicit loop_mail(PyObject* loop) noexcept : loop_(loop) {}
    bool arm();
    void post(letter& l) noexcept;

    const void* const loop_;
    std::atomic<letter*> letters_{nullptr};
    std::atomic<bell*> armed_{nullptr};
    std::atomic<bool> closed_{false};
};

/// A coroutine object that runs `coroutine` (stolen) as the body of `u` and tells the graph when it waits and when it runs.
PyObject* make_unit_coroutine(python_unit& u, PyObject* coroutine);
void register_unit_coroutine(pybind11::module_& m);

}  // namespace headrace::bindings
