// headrace._core.exec.ProcessPool: the C type below headrace.exec.ProcessExecutor.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/exec/process_pool.hpp>

namespace headrace::bindings {

/// The pool of a ProcessExecutor, which lives as long as the executor. Null with a TypeError set: it is none.
exec::process_pool* process_pool_of(PyObject* executor);

void register_process_executor(pybind11::module_& m);

}  // namespace headrace::bindings
