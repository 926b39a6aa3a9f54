// What the functions of the type Graph share: the object's state, and how C++ exceptions become Python's.
// Threads:  with the GIL.
// Errors:   null with a Python error set.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/batch/graph_core.hpp>
#include <memory>
#include <new>
#include <vector>

#include "../python_error.hpp"
#include "loop_mail.hpp"

namespace headrace::bindings {

struct graph_state {
    std::shared_ptr<batch::graph_core> core;
    std::vector<std::shared_ptr<loop_mail>> mails;  // of the loops on which its coroutines run, the latest last
};

struct graph_object {
    PyObject_HEAD graph_state* state;
};

inline graph_state* graph_state_of(PyObject* self) {
    auto* s = reinterpret_cast<graph_object*>(self)->state;
    if (s == nullptr) PyErr_SetString(PyExc_RuntimeError, "Graph.__init__ was not called");
    return s;
}

template <class F>
PyObject* guarded_graph_call(F&& f) {
    try {
        return f();
    } catch (pybind11::error_already_set& e) {
        e.restore();
    } catch (const failure_error& e) {
        raise({e.code(), e.what()});
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    }
    return nullptr;
}

/// Graph.submit() and Graph.sleep().
PyObject* graph_submit(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names);
PyObject* graph_sleep(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names);
/// Before the first submit; throws Python errors.
void prepare_graph_submit();

}  // namespace headrace::bindings
