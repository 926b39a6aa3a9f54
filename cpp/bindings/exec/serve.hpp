// The loop of a worker process: headrace.exec.worker calls it and ends when it returns.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

/// _core.exec.serve(channel, claims, set_up, pack_error): set_up(dict) once with what the pool sends first; what it raises is
/// told to the pool. pack_error(exception) gives what can be pickled in its place. Returns when the pool says so, or is gone.
void register_serve(pybind11::module_& m);

}  // namespace headrace::bindings
