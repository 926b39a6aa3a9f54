// headrace.Future: the one way in which native completions reach Python, for asyncio and for threads.
//
//   class reply final : public bridge::pending_result { ... PyObject* to_python() override; };
//   auto* r = new reply(...);
//   PyObject* future = bridge::make_future(r);      // GIL held; null with an error set: r is gone
//   if (future != nullptr) engine.submit(r);        // the engine calls pending_result::finish(*r) exactly once, no GIL
//   return future;
//
// In a coroutine the object is awaited (it has the surface of asyncio.Future: gather, wait_for, shield, timeouts,
// TaskGroup, uvloop); in a plain thread `.result(timeout)` waits. The loop is bound at the first await, get_loop() or
// add_done_callback(). Completions of one loop are delivered by one drain per tick, at most 1024 each; a Task that
// awaits is stepped by the drain itself, in its own context, and every other callback goes through call_soon.
// Threads:  with the GIL, except where completion.hpp says otherwise.
// Lifetime: while callbacks are registered the engine keeps the Future alive, as any completer of a Future does.
// Errors:   what to_python() raises is the Future's exception. After fork() a Future of the parent raises Forked.
// Stop:     when its loop is closed, or ends, a pending result is cancelled (on_cancel) and its callbacks are dropped.
#pragma once

#include <pybind11/pybind11.h>

#include "completion.hpp"

namespace headrace::bridge {

/// A new reference to a headrace.Future that takes over the Python side's reference to `r`. Null with an error set
/// when there is no memory: then `r` is freed and must not be given to an engine.
PyObject* make_future(pending_result* r);

bool is_future(PyObject* object) noexcept;

/// Objects of this one type, or of one derived from it, answer a call with a Future (batchers do): who runs functions runs them
/// where Futures are awaited.
void calls_give_futures(PyTypeObject* type) noexcept;
/// Of such a type, or a method of such an object.
bool gives_future(PyObject* callable) noexcept;

/// What is to be done once at the end of the running loop's tick, with the GIL: submissions that gather during the tick
/// and leave together.
class tick_end {
public:
    virtual void run() noexcept = 0;  ///< errors go to the objects concerned; may delete itself
    tick_end* next = nullptr;

protected:
    ~tick_end() = default;
};

/// Calls work.run() when the tasks that are runnable now have run. False without an error: no loop runs in this thread,
/// do it at once. False with an error set: asyncio refused.
bool at_tick_end(tick_end& work);

/// Called around every wait of a pool's worker for a Future that is not done, without the GIL.
void watch_waits(void (*begins)() noexcept, void (*ends)() noexcept) noexcept;

/// Adds the type Future to the module.
void register_future(pybind11::module_& m);

}  // namespace headrace::bridge
