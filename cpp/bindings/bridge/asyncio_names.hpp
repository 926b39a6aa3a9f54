// What the bridge needs of asyncio, imported when the first coroutine awaits: threads do not pay for it.
// Threads:  with the GIL.   Lifetime: until the process ends.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bridge {

struct asyncio_names {
    PyObject* running_loop;         // _get_running_loop: None without one
    PyObject* cancelled_error;      // CancelledError
    PyObject* invalid_state_error;  // InvalidStateError
    PyTypeObject* task;             // the C Task
};

/// Null with an error set when asyncio cannot be imported.
const asyncio_names* names();

/// The loop that runs in this thread: a borrowed reference, or null without an error.
PyObject* running_loop();

/// Whether this callback is what a C Task registers to be stepped; such a call is all its Handle would do.
bool is_task_wakeup(PyObject* callback);

/// loop.call_soon(callback, argument, context=context), or call_soon_threadsafe from another thread.
int call_soon(PyObject* loop, PyObject* callback, PyObject* argument, PyObject* context);

/// loop.call_exception_handler({message, exception, future}); never fails.
void report(PyObject* loop, const char* message, PyObject* exception, PyObject* future);

}  // namespace headrace::bridge
