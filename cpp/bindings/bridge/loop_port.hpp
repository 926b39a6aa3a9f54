// One event loop's end of the bridge: the object that the loop calls when its eventfd is readable.
//
// loop.add_reader(fd, port) holds the only reference, so the port ends with the loop: when the loop is closed, or freed,
// what is still pending is cancelled. One port per running loop, found by loop; any number of loops in any threads.
// Threads:  with the GIL, on the loop's thread.
// Lifetime: see above. Its completion_queue goes to the next loop when nothing is bound to it any more.
// Errors:   of asyncio, as Python errors. KeyboardInterrupt and SystemExit of a task end the drain and leave the loop.
// Fork:     the child starts with no ports; objects of the parent keep theirs and never touch them.
#pragma once

#include <pybind11/pybind11.h>

#include "completion.hpp"
#include "future.hpp"

namespace headrace::bridge {

struct loop_port {
    PyObject_HEAD PyObject* loop;  // strong; the cycle through the loop's own handle is the garbage collector's
    PyObject* tasks;               // a set: see hold_task()
    completion_queue* queue;
    pending_result* backlog;  // taken and not delivered yet, oldest first
    tick_end* ends;
    std::uint32_t process;  // of fork
    bool draining;
    bool tick_planned;
};

/// The port of the running loop, made at first use. Null with an error set.
loop_port* port_of(PyObject* loop);

/// An event loop holds its tasks weakly: one that waits for something only it and its waiter know is garbage. Between these
/// two calls the loop's port holds the task, so that it lives as long as its loop. Errors are ignored.
void hold_task(PyObject* loop, PyObject* task) noexcept;
void let_go_of_task(PyObject* loop, PyObject* task) noexcept;

/// The loop whose drain runs in this thread right now, hence the running one: borrowed, or null.
PyObject* loop_being_drained() noexcept;

/// Counts forks: an object of another number belongs to the parent.
std::uint32_t this_process() noexcept;

bool register_loop_port();

}  // namespace headrace::bridge
