// headrace._core.exec.Call: the native half of headrace.exec.Future, which is a concurrent.futures.Future as well.
//
// result(), exception(), done(), running(), cancel() and cancelled() are here. What the standard library's functions look
// into (_condition, _waiters, _done_callbacks, _state, _result, _exception) appears when it is asked for, and from then on
// the future is watched (call.hpp).
// Threads:  with the GIL.   Errors: Python errors.
#pragma once

#include <pybind11/pybind11.h>

#include "call.hpp"

namespace headrace::bindings {

/// A new Future that takes over one reference to `c`. `owner` lives as long as it does. Null with an error set: `c` keeps
/// its reference.
PyObject* make_exec_future(call& c, PyObject* owner);
/// A Future that is done: with the error that is set now, which it takes.
PyObject* make_failed_future();

/// Throws Python errors.
void register_future_type(pybind11::module_& m);

}  // namespace headrace::bindings
