// headrace._core.exec.ThreadPool: the C type below headrace.exec.ThreadExecutor.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

void register_thread_executor(pybind11::module_& m);

}  // namespace headrace::bindings
