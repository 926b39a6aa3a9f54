#include "results.hpp"

#include <pybind11/pybind11.h>

#include "../bridge/asyncio_names.hpp"
#include "../python_error.hpp"
#include "core.hpp"
#include "function.hpp"
#include "keys.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

using items_of_batch = std::span<batch::item* const>;

request& request_at(items_of_batch items, std::size_t i) {
    return static_cast<request&>(*items[i]);
}

PyObject* class_of_bad_result() {
    static PyObject* found =
        py::module_::import("headrace.errors").attr("BadResult").cast<py::object>().release().ptr();
    return found;
}

// The error that is set. StopIteration ends whoever meets it in a coroutine: asyncio refuses it for Futures as well.
PyObject* take_error_of_function() {
    PyObject* error = take_error();
    if (PyErr_GivenExceptionMatches(error, PyExc_StopIteration) == 0) return error;
    PyObject* wrapped = PyObject_CallFunction(PyExc_RuntimeError, "s", "a batch function raised StopIteration");
    if (wrapped == nullptr) return error;
    PyException_SetCause(wrapped, error);
    return wrapped;
}

// The error that is set goes to every request that has no outcome yet.
bool fail_with_error(items_of_batch items) {
    const auto* asyncio = bridge::names();
    if (asyncio == nullptr) PyErr_Clear();
    if (asyncio != nullptr && PyErr_ExceptionMatches(asyncio->cancelled_error) != 0) {
        PyErr_Clear();
        fail_all(items, failure::of(errc::cancelled, "the batch function was cancelled"));
        return false;
    }
    PyObject* error = take_error_of_function();
    for (auto* it : items) {
        auto& r = static_cast<request&>(*it);
        if (!r.has_outcome()) r.set_exception(Py_NewRef(error));
    }
    Py_DECREF(error);
    return false;
}

bool refuse(const batch_core& core, items_of_batch items, const char* what, const char* detail) {
    PyErr_Format(class_of_bad_result(),
                 "%s: the batch function returned %s%s; it must return one result per item, as a list or as a mapping "
                 "by key",
                 core.name().c_str(), what, detail);
    return fail_with_error(items);
}

void give(request& r, PyObject* value) {
    if (PyExceptionInstance_Check(value) != 0 && PyErr_GivenExceptionMatches(value, PyExc_Exception) != 0) {
        r.set_exception(Py_NewRef(value));
    } else {
        r.set_result(Py_NewRef(value));
    }
}

bool give_mapping(const batch_core& core, items_of_batch items, PyObject* mapping) {
    for (std::size_t i = 0; i < items.size(); ++i) {
        auto& r = request_at(items, i);
        PyObject* key = r.name != nullptr ? r.name->key : r.argument();
        PyObject* value = PyObject_GetItem(mapping, key);
        if (value != nullptr) {
            give(r, value);
            Py_DECREF(value);
            continue;
        }
        if (PyErr_ExceptionMatches(PyExc_KeyError) != 0) {
            PyErr_Clear();
            PyErr_Format(class_of_bad_result(), "%s: the batch function returned no result for the key %R",
                         core.name().c_str(), key);
        }
        fail_with_error(items.subspan(i, 1));
    }
    return true;
}

bool give_sequence(const batch_core& core, items_of_batch items, PyObject* sequence) {
    const auto size = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence));
    if (size != items.size()) {
        PyErr_Format(class_of_bad_result(), "%s: the batch function returned %zu results for %zu items",
                     core.name().c_str(), size, items.size());
        return fail_with_error(items);
    }
    PyObject** values = PySequence_Fast_ITEMS(sequence);
    for (std::size_t i = 0; i < size; ++i) give(request_at(items, i), values[i]);
    return true;
}

bool give_returned(const batch_core& core, items_of_batch items, PyObject* returned) {
    if (returned == Py_None) return refuse(core, items, "None", "");
    if (PyList_CheckExact(returned) == 0 && PyTuple_CheckExact(returned) == 0) {
        if (PyDict_Check(returned) != 0) return give_mapping(core, items, returned);
        if (PyUnicode_Check(returned) != 0 || PyBytes_Check(returned) != 0)
            return refuse(core, items, Py_TYPE(returned)->tp_name, "");
        static PyObject* mapping =
            py::module_::import("collections.abc").attr("Mapping").cast<py::object>().release().ptr();
        const int is_mapping = PyObject_IsInstance(returned, mapping);
        if (is_mapping < 0) return fail_with_error(items);
        if (is_mapping != 0) return give_mapping(core, items, returned);
        PyObject* iterator = PyObject_GetIter(returned);
        if (iterator == nullptr) {
            PyErr_Clear();
            return refuse(core, items, Py_TYPE(returned)->tp_name, "");
        }
        Py_DECREF(iterator);
    }
    PyObject* sequence = PySequence_Fast(returned, "");
    if (sequence == nullptr) return fail_with_error(items);
    const bool good = give_sequence(core, items, sequence);
    Py_DECREF(sequence);
    return good;
}

}  // namespace

PyObject* arguments_of(items_of_batch items) {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(items.size()));
    for (std::size_t i = 0; list != nullptr && i < items.size(); ++i)
        PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), Py_NewRef(request_at(items, i).argument()));
    return list;
}

bool give_results(const batch_core& core, items_of_batch items, PyObject* returned) {
    if (returned == nullptr) return fail_with_error(items);
    const bool good = give_returned(core, items, returned);
    Py_DECREF(returned);
    return good;
}

}  // namespace headrace::bindings
