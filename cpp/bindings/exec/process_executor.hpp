// headrace._core.exec.ProcessPool: the C type below headrace.exec.ProcessExecutor.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

void register_process_executor(pybind11::module_& m);

}  // namespace headrace::bindings
