// What the executors' C types share: reading the arguments of submit() and apply(), and raising the core's failures.
// Threads:  with the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/base/error.hpp>

namespace headrace::bindings {

/// Sets the Python error of a failure. Null.
PyObject* raise_failure(const failure& why);

/// submit(fn, /, *args, **kwargs): new references in `args` and `kwargs` (null: none). False with an error set.
bool read_submit(PyObject* const* given, Py_ssize_t n, PyObject* names, PyObject*& function, PyObject*& args,
                 PyObject*& kwargs);

/// apply(fn, args=(), kwargs=None, *, deadline=None). Borrowed references; `deadline_s` < 0: the executor's own.
bool read_apply(PyObject* given, PyObject* names, PyObject*& function, PyObject*& args, PyObject*& kwargs,
                double& deadline_s);

template <class F>
PyCFunction as_method(F* f) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

}  // namespace headrace::bindings
