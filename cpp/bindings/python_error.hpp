// The Python exception that is set now, as an object and back.
// Threads:  with the GIL held.
// Errors:   what goes wrong while an exception is made is set in its place.
#pragma once

#include <pybind11/pybind11.h>

#include "errors.hpp"

namespace headrace::bindings {

/// Takes the exception that is set, with its traceback; null when none is. A new reference.
inline PyObject* take_error() {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != nullptr) PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
}

/// Sets the exception and lets go of it; null: one is set already. Answers null, for `return raise(...)`.
inline PyObject* raise_stolen(PyObject* error) {
    if (error != nullptr) {
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
        Py_DECREF(error);
    }
    return nullptr;
}

/// Sets the exception for a failure.
inline PyObject* raise(const failure& why) {
    try {
        return raise_stolen(static_cast<PyObject*>(make_exception(why)));
    } catch (pybind11::error_already_set& e) {
        e.restore();
        return nullptr;
    }
}

}  // namespace headrace::bindings
