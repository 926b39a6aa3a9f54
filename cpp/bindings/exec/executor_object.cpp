#include "executor_object.hpp"

#include "../errors.hpp"

namespace headrace::bindings {

PyObject* raise_failure(const failure& why) {
    auto* error = static_cast<PyObject*>(make_exception(why));
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
    Py_DECREF(error);
    return nullptr;
}

bool read_submit(PyObject* const* given, Py_ssize_t n, PyObject* names, PyObject*& function, PyObject*& args,
                 PyObject*& kwargs) {
    if (n < 1) {
        PyErr_SetString(PyExc_TypeError, "submit() needs at least one positional argument, the function");
        return false;
    }
    function = given[0];
    kwargs = nullptr;
    args = PyTuple_New(n - 1);
    if (args == nullptr) return false;
    for (Py_ssize_t i = 1; i < n; ++i) PyTuple_SET_ITEM(args, i - 1, Py_NewRef(given[i]));
    if (names == nullptr || PyTuple_GET_SIZE(names) == 0) return true;
    kwargs = PyDict_New();
    for (Py_ssize_t i = 0; kwargs != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
        if (PyDict_SetItem(kwargs, PyTuple_GET_ITEM(names, i), given[n + i]) != 0) Py_CLEAR(kwargs);
    }
    if (kwargs != nullptr) return true;
    Py_CLEAR(args);
    return false;
}

bool read_apply(PyObject* given, PyObject* names, PyObject*& function, PyObject*& args, PyObject*& kwargs,
                double& deadline_s) {
    static const char* words[] = {"fn", "args", "kwargs", "deadline", nullptr};
    PyObject* deadline = Py_None;
    args = nullptr;
    kwargs = Py_None;
    if (PyArg_ParseTupleAndKeywords(given, names, "O|O!O$O:apply", const_cast<char**>(words), &function, &PyTuple_Type,
                                    &args, &kwargs, &deadline) == 0)
        return false;
    if (kwargs == Py_None) kwargs = nullptr;
    if (kwargs != nullptr && !PyDict_Check(kwargs)) {
        PyErr_Format(PyExc_TypeError, "kwargs must be a dict, not %R", kwargs);
        return false;
    }
    deadline_s = -1;
    if (deadline == Py_None) return true;
    deadline_s = PyFloat_AsDouble(deadline);
    if (deadline_s == -1.0 && PyErr_Occurred() != nullptr) return false;
    if (deadline_s > 0) return true;
    PyErr_Format(PyExc_ValueError, "deadline must be a positive number of seconds, got %R", deadline);
    return false;
}

}  // namespace headrace::bindings
