#include "future_type.hpp"

#include <structmember.h>

#include <cmath>
#include <cstddef>
#include <thread>

#include "../python_error.hpp"
#include "../waiting.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

struct future_object {
    PyObject_HEAD call* source;  // null once converted
    PyObject* owner;
    PyObject* condition;  // these three: null until somebody asks
    PyObject* waiters;
    PyObject* callbacks;
    PyObject* result;          // or null
    PyObject* exception;       // or null
    unsigned long converting;  // the thread that does, or 0
    call_state state;          // as converted
    bool watched;              // _deliver() will be called, or was
    bool announced;            // it was
};

future_object* as_future(PyObject* o) {
    return reinterpret_cast<future_object*>(o);
}

PyObject *future_class, *condition_class, *cancelled_error, *timeout_error;

// Turns a done call into Python objects. Unpickling may run any code; other threads wait meanwhile.
bool convert(future_object* f) {
    while (f->converting != 0) {
        if (f->converting == PyThread_get_thread_ident()) return false;
        const py::gil_scoped_release nogil;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    if (f->source == nullptr) return true;
    if (!f->source->done()) return false;
    f->converting = PyThread_get_thread_ident();
    call* const source = f->source;
    call_state now = source->state();
    if (now == call_state::finished) {
        PyObject* const result = source->take();
        if (result != nullptr) {
            f->result = result;
        } else {
            f->exception = take_error();
        }
    }
    f->state = now;
    f->source = nullptr;
    f->converting = 0;
    source->release();
    return true;
}

bool is_done(future_object* f) {
    return f->source == nullptr || convert(f);
}

// The standard library looks into the future: from now on it is told when it is done.
bool observe(future_object* f) {
    if (f->condition != nullptr) return true;
    PyObject* const condition = PyObject_CallNoArgs(condition_class);
    PyObject* const waiters = PyList_New(0);
    PyObject* const callbacks = PyList_New(0);
    const bool good = condition != nullptr && waiters != nullptr && callbacks != nullptr;
    if (good && f->condition == nullptr) {
        f->condition = Py_NewRef(condition);
        f->waiters = Py_NewRef(waiters);
        f->callbacks = Py_NewRef(callbacks);
        call* const source = f->source;
        f->watched = source != nullptr && source->watch(reinterpret_cast<PyObject*>(f));
        if (f->watched && source->needs_haste()) {
            source->retain();
            {
                const py::gil_scoped_release nogil;
                source->hasten();
            }
            source->release();
        }
    }
    Py_XDECREF(condition);
    Py_XDECREF(waiters);
    Py_XDECREF(callbacks);
    return good;
}

// -1 with an error, 0 timed out, 1 done.
int wait_done(future_object* f, PyObject* timeout) {
    if (is_done(f)) return 1;
    double seconds = INFINITY;
    if (timeout != nullptr && timeout != Py_None) {
        seconds = PyFloat_AsDouble(timeout);
        if (seconds == -1.0 && PyErr_Occurred() != nullptr) return -1;
    }
    call* const source = f->source;
    if (source == nullptr) return 1;
    source->retain();
    int done = 1;
    try {
        if (!wait_for(to_ns(seconds), [&](ns slice) { return source->wait(slice); })) done = 0;
    } catch (py::error_already_set& e) {
        e.restore();
        done = -1;
    }
    source->release();
    if (done == 1 && !convert(f)) {
        PyErr_SetString(PyExc_RuntimeError, "a future asks for its own result while it is unpickled");
        return -1;
    }
    return done;
}

bool read_timeout(const char* name, PyObject* const* args, Py_ssize_t n, PyObject* names, PyObject*& timeout) {
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    if (n + named > 1 || (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "timeout") != 0)) {
        PyErr_Format(PyExc_TypeError, "%s() takes one argument at most, timeout", name);
        return false;
    }
    timeout = n + named == 1 ? args[0] : nullptr;
    return true;
}

PyObject* raise_cancelled() {
    PyErr_SetNone(cancelled_error);
    return nullptr;
}

PyObject* result(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    PyObject* timeout = nullptr;
    if (!read_timeout("result", args, n, names, timeout)) return nullptr;
    auto* f = as_future(self);
    const int done = wait_done(f, timeout);
    if (done < 0) return nullptr;
    if (done == 0) {
        PyErr_SetNone(timeout_error);
        return nullptr;
    }
    if (f->state == call_state::cancelled) return raise_cancelled();
    if (f->exception == nullptr) return Py_NewRef(f->result);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(f->exception)), f->exception);
    return nullptr;
}

PyObject* exception(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    PyObject* timeout = nullptr;
    if (!read_timeout("exception", args, n, names, timeout)) return nullptr;
    auto* f = as_future(self);
    const int done = wait_done(f, timeout);
    if (done < 0) return nullptr;
    if (done == 0) {
        PyErr_SetNone(timeout_error);
        return nullptr;
    }
    if (f->state == call_state::cancelled) return raise_cancelled();
    return Py_NewRef(f->exception == nullptr ? Py_None : f->exception);
}

PyObject* cancel(PyObject* self, PyObject*) {
    auto* f = as_future(self);
    if (is_done(f)) return PyBool_FromLong(f->state == call_state::cancelled);
    call* const source = f->source;
    source->retain();
    bool gone = false;
    {
        const py::gil_scoped_release nogil;
        gone = source->cancel();
    }
    source->release();
    return PyBool_FromLong(gone);
}

PyObject* done(PyObject* self, PyObject*) {
    return PyBool_FromLong(is_done(as_future(self)));
}

PyObject* running(PyObject* self, PyObject*) {
    auto* f = as_future(self);
    return PyBool_FromLong(!is_done(f) && f->source->state() == call_state::running);
}

PyObject* cancelled(PyObject* self, PyObject*) {
    auto* f = as_future(self);
    return PyBool_FromLong(is_done(f) && f->state == call_state::cancelled);
}

// The standard library reads it under the condition and takes for granted that who is done has told its waiters: a watched
// future that is done says so when _deliver() tells them, under the condition, and not before.
PyObject* get_state(PyObject* self, void*) {
    auto* f = as_future(self);
    if (!is_done(f)) return PyUnicode_FromString(f->source->state() == call_state::running ? "RUNNING" : "PENDING");
    if (f->watched && !f->announced) return PyUnicode_FromString("RUNNING");
    return PyUnicode_FromString(f->state == call_state::cancelled ? "CANCELLED_AND_NOTIFIED" : "FINISHED");
}

PyObject* announce(PyObject* self, PyObject*) {
    as_future(self)->announced = true;
    return get_state(self, nullptr);
}

template <PyObject* future_object::*Member>
PyObject* get_observed(PyObject* self, void*) {
    auto* f = as_future(self);
    return observe(f) ? Py_NewRef(f->*Member) : nullptr;
}

template <PyObject* future_object::*Member>
PyObject* get_outcome(PyObject* self, void*) {
    auto* f = as_future(self);
    is_done(f);
    return Py_NewRef(f->*Member == nullptr ? Py_None : f->*Member);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    auto* f = as_future(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(f->owner);
    Py_VISIT(f->condition);
    Py_VISIT(f->waiters);
    Py_VISIT(f->callbacks);
    Py_VISIT(f->result);
    Py_VISIT(f->exception);
    return 0;
}

int clear(PyObject* self) {
    auto* f = as_future(self);
    Py_CLEAR(f->owner);
    Py_CLEAR(f->condition);
    Py_CLEAR(f->waiters);
    Py_CLEAR(f->callbacks);
    Py_CLEAR(f->result);
    Py_CLEAR(f->exception);
    return 0;
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (call* source = std::exchange(as_future(self)->source, nullptr)) source->release();
    clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"result", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(result)), METH_FASTCALL | METH_KEYWORDS,
     "result($self, /, timeout=None)\n--\n\nThe result, or raises what the call raised. Waits `timeout` seconds at "
     "most,\n"
     "then raises TimeoutError. CancelledError when it was cancelled."},
    {"exception", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(exception)), METH_FASTCALL | METH_KEYWORDS,
     "exception($self, /, timeout=None)\n--\n\nWhat the call raised, or None. Waits as result() does."},
    {"cancel", cancel, METH_NOARGS,
     "cancel($self, /)\n--\n\nGives the call up when it has not begun. Whether it is cancelled."},
    {"done", done, METH_NOARGS, "done($self, /)\n--\n\nWhether it has a result, an exception, or was cancelled."},
    {"running", running, METH_NOARGS, "running($self, /)\n--\n\nWhether it has begun, or may have, and is not done."},
    {"cancelled", cancelled, METH_NOARGS, "cancelled($self, /)\n--\n\nWhether it was cancelled."},
    {"_announce", announce, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"_state", get_state, nullptr, nullptr, nullptr},
    {"_condition", get_observed<&future_object::condition>, nullptr, nullptr, nullptr},
    {"_waiters", get_observed<&future_object::waiters>, nullptr, nullptr, nullptr},
    {"_done_callbacks", get_observed<&future_object::callbacks>, nullptr, nullptr, nullptr},
    {"_result", get_outcome<&future_object::result>, nullptr, nullptr, nullptr},
    {"_exception", get_outcome<&future_object::exception>, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.exec.Call", sizeof(future_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                    slots};

future_object* allocate() {
    if (future_class == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "headrace.exec is not imported");
        return nullptr;
    }
    auto* type = reinterpret_cast<PyTypeObject*>(future_class);
    return as_future(type->tp_alloc(type, 0));
}

}  // namespace

PyObject* make_exec_future(call& c, PyObject* owner) {
    future_object* const f = allocate();
    if (f == nullptr) return nullptr;
    f->source = &c;
    f->owner = Py_NewRef(owner);
    f->state = call_state::pending;
    return reinterpret_cast<PyObject*>(f);
}

PyObject* make_failed_future() {
    PyObject* const error = take_error();
    future_object* const f = allocate();
    if (f == nullptr) {
        Py_XDECREF(error);
        return nullptr;
    }
    f->exception = error;
    f->state = call_state::finished;
    return reinterpret_cast<PyObject*>(f);
}

void register_future_type(py::module_& m) {
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw py::error_already_set();
    m.attr("Call") = py::reinterpret_steal<py::object>(type);
    m.def(
        "use_future_class",
        [](const py::object& cls) {
            condition_class = py::module_::import("threading").attr("Condition").cast<py::object>().release().ptr();
            const auto futures = py::module_::import("concurrent.futures");
            cancelled_error = futures.attr("CancelledError").cast<py::object>().release().ptr();
            timeout_error = futures.attr("TimeoutError").cast<py::object>().release().ptr();
            future_class = py::object(cls).release().ptr();
        },
        py::arg("cls"), "The class of the futures that executors make, a subclass of Call.");
}

}  // namespace headrace::bindings
