// What types with the surface of a coroutine share: throw(), and how a step is answered by a method.
// Threads:  with the GIL.   Errors: as Python exceptions.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

/// Raises what throw(type[, value[, traceback]]) was given.
inline void raise_thrown(PyObject* args) {
    PyObject* const kind = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : Py_None;
    if (PyExceptionInstance_Check(kind)) {
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(kind)), kind);
    } else {
        PyErr_SetObject(kind, PyTuple_GET_SIZE(args) > 1 ? PyTuple_GET_ITEM(args, 1) : Py_None);
    }
}

/// As `yield from` does: into what has a throw(), and otherwise raised here.
inline PySendResult throw_into(PyObject* inner, PyObject* args, PyObject** out) {
    *out = nullptr;
    PyObject* const method = PyObject_GetAttrString(inner, "throw");
    if (method == nullptr) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError) == 0) return PYGEN_ERROR;
        PyErr_Clear();
        raise_thrown(args);
        return PYGEN_ERROR;
    }
    *out = PyObject_CallObject(method, args);
    Py_DECREF(method);
    if (*out != nullptr) return PYGEN_NEXT;
    return _PyGen_FetchStopIterationValue(out) == 0 ? PYGEN_RETURN : PYGEN_ERROR;
}

/// A value to yield, or StopIteration, or the error that is set. Takes `out`, which is no tuple and no exception.
inline PyObject* as_method_result(PySendResult how, PyObject* out) {
    if (how == PYGEN_NEXT) return out;
    if (how == PYGEN_RETURN) {
        PyErr_SetObject(PyExc_StopIteration, out);
        Py_DECREF(out);
    }
    return nullptr;
}

}  // namespace headrace::bindings
