// Adds headrace._core.batch.Batcher, the C type below headrace.batch.Batcher.
// Threads:  with the GIL.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

void register_batcher_type(pybind11::module_& m);

}  // namespace headrace::bindings
