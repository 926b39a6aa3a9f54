// In a worker process: what a handler returned or raised, as the bytes that http::answer_wire reads.
// Threads:  with the GIL.   Errors: Python errors.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

void register_worker_answers(pybind11::module_& m);

}  // namespace headrace::bindings
