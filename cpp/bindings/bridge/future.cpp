#include "future.hpp"

#include <structmember.h>

#include <cstddef>

#include "asyncio_names.hpp"
#include "future_object.hpp"
#include "loop_port.hpp"

namespace headrace::bridge {
namespace {

PyTypeObject* future_type = nullptr;
PyTypeObject* giving_type = nullptr;  // objects whose calls give Futures; one such type so far

#ifndef Py_GIL_DISABLED
// Futures that are no more, to be used again: the allocator and the collector are a good part of what an await costs.
constexpr int most_spare = 1024;
future_object* spare = nullptr;  // linked by node
int spares = 0;
#endif

future_object* allocate() {
#ifndef Py_GIL_DISABLED
    if (spare != nullptr) {
        auto* f = spare;
        spare = reinterpret_cast<future_object*>(f->node);
        --spares;
        PyObject_Init(as_object(f), future_type);
        return f;
    }
#endif
    return PyObject_GC_New(future_object, future_type);
}

int clear(PyObject* self) {
    auto* f = as_future(self);
    Py_CLEAR(f->loop);
    drop_callbacks(f);
    Py_CLEAR(f->result);
    Py_CLEAR(f->exception);
    Py_CLEAR(f->trace);
    Py_CLEAR(f->cancel_message);
    return 0;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    auto* f = as_future(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(f->loop);
    Py_VISIT(f->callback);
    Py_VISIT(f->context);
    Py_VISIT(f->more);
    Py_VISIT(f->result);
    Py_VISIT(f->exception);
    Py_VISIT(f->trace);
    Py_VISIT(f->cancel_message);
    return 0;
}

// As asyncio does: an error that nobody looked at is reported when the future goes. A result that nobody fetched is
// looked at only where a loop runs; a thread that drops its future has chosen not to know.
void finalize(PyObject* self) {
    auto* f = as_future(self);
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    PyObject* loop = f->loop != nullptr ? f->loop : running_loop();
    if (loop != nullptr && f->state == future_state::pending && is_done(f)) convert(f);
    if (loop != nullptr && f->unretrieved) {
        f->unretrieved = false;
        if (f->trace != nullptr) PyException_SetTraceback(f->exception, f->trace);
        report(loop, "Future exception was never retrieved", f->exception, self);
    }
    PyErr_Restore(kind, value, trace);
}

void dealloc(PyObject* self) {
    auto* f = as_future(self);
    if ((f->unretrieved || f->node != nullptr) && PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (f->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    clear(self);
    if (f->node != nullptr) std::exchange(f->node, nullptr)->release_with_gil();
#ifndef Py_GIL_DISABLED
    if (spares < most_spare && PyObject_GC_IsFinalized(self) == 0) {  // a finalizer runs once in an object's life
        f->node = reinterpret_cast<pending_result*>(spare);
        spare = f;
        ++spares;
        Py_DECREF(type);
        return;
    }
#endif
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

// One optional argument, by place or by name; null when it is absent. False with an error set.
bool one_argument(const char* function, const char* name, PyObject* const* args, Py_ssize_t n, PyObject* keywords,
                  PyObject*& out) {
    out = n > 0 ? args[0] : nullptr;
    const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    if (n == 0 && named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), name) == 0) {
        out = args[0];
        return true;
    }
    if (n <= 1 && named == 0) return true;
    PyErr_Format(PyExc_TypeError, "%s() takes one argument, %s", function, name);
    return false;
}

PyObject* result(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    auto* f = as_future(self);
    PyObject* timeout = nullptr;
    if (!one_argument("result", "timeout", args, n, keywords, timeout)) return nullptr;
    const critical_section hold(self);
    if (!is_done(f) && wait_done(f, timeout == nullptr ? Py_None : timeout) < 0) return nullptr;
    return outcome(f);
}

PyObject* exception(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    auto* f = as_future(self);
    PyObject* timeout = nullptr;
    if (!one_argument("exception", "timeout", args, n, keywords, timeout)) return nullptr;
    const critical_section hold(self);
    if (!is_done(f) && wait_done(f, timeout == nullptr ? Py_None : timeout) < 0) return nullptr;
    return outcome_exception(f);
}

PyObject* done(PyObject* self, PyObject*) {
    const critical_section hold(self);
    return PyBool_FromLong(is_done(as_future(self)));
}

PyObject* cancelled(PyObject* self, PyObject*) {
    return PyBool_FromLong(as_future(self)->state == future_state::cancelled);
}

PyObject* cancel_method(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    PyObject* message = nullptr;
    if (!one_argument("cancel", "msg", args, n, keywords, message)) return nullptr;
    const critical_section hold(self);
    const int won = cancel(as_future(self), message);
    return won < 0 ? nullptr : PyBool_FromLong(won);
}

PyObject* get_loop(PyObject* self, PyObject*) {
    auto* f = as_future(self);
    const critical_section hold(self);
    return choose_loop(f) < 0 ? nullptr : Py_NewRef(f->loop);
}

PyObject* add_done_callback(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    if (n != 1 || named > 1 ||
        (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "context") != 0)) {
        PyErr_SetString(PyExc_TypeError, "add_done_callback(callback, *, context=None)");
        return nullptr;
    }
    PyObject* context = named == 1 && args[1] != Py_None ? Py_NewRef(args[1]) : PyContext_CopyCurrent();
    if (context == nullptr) return nullptr;
    int bad = 0;
    {
        const critical_section hold(self);
        bad = add_callback(as_future(self), args[0], context);
    }
    Py_DECREF(context);
    if (bad < 0) return nullptr;
    Py_RETURN_NONE;
}

PyObject* remove_done_callback(PyObject* self, PyObject* callback) {
    const critical_section hold(self);
    const Py_ssize_t removed = remove_callback(as_future(self), callback);
    return removed < 0 ? nullptr : PyLong_FromSsize_t(removed);
}

PyObject* cancelled_error(PyObject* self, PyObject*) {
    return make_cancelled_error(as_future(self));
}

PyObject* refuse_setting(PyObject*, PyObject*) {
    PyErr_SetString(PyExc_RuntimeError, "the result of a headrace.Future is set by the engine that works on it");
    return nullptr;
}

// The future is its own iterator: between being awaited and being done it has nothing to remember.
PySendResult send(PyObject* self, PyObject*, PyObject** out) {
    auto* f = as_future(self);
    const critical_section hold(self);
    *out = nullptr;
    if (is_done(f)) return (*out = outcome(f)) != nullptr ? PYGEN_RETURN : PYGEN_ERROR;
    if (f->blocking) {
        PyErr_SetString(PyExc_RuntimeError, "await wasn't used with future");
        return PYGEN_ERROR;
    }
    if (refuse_after_fork(f) < 0 || choose_loop(f) < 0) return PYGEN_ERROR;
    f->blocking = true;
    *out = Py_NewRef(self);
    return PYGEN_NEXT;
}

PyObject* next(PyObject* self) {
    PyObject* value = nullptr;
    if (send(self, Py_None, &value) != PYGEN_RETURN) return value;
    // An instance, so that tuples and exceptions stay what they are.
    PyObject* stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    Py_DECREF(value);
    if (stop != nullptr) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return nullptr;
}

PyObject* iterate(PyObject* self) {
    return Py_NewRef(self);
}

PyObject* repr(PyObject* self) {
    auto* f = as_future(self);
    const Py_ssize_t callbacks = (f->callback != nullptr ? 1 : 0) + (f->more != nullptr ? PyList_GET_SIZE(f->more) : 0);
    if (f->state == future_state::cancelled) return PyUnicode_FromString("<headrace.Future cancelled>");
    if (f->exception != nullptr) return PyUnicode_FromFormat("<headrace.Future finished exception=%R>", f->exception);
    if (f->result != nullptr) return PyUnicode_FromFormat("<headrace.Future finished result=%R>", f->result);
    if (is_done(f)) return PyUnicode_FromString("<headrace.Future finished>");
    if (callbacks == 0) return PyUnicode_FromString("<headrace.Future pending>");
    return PyUnicode_FromFormat("<headrace.Future pending callbacks=%zd>", callbacks);
}

PyObject* get_blocking(PyObject* self, void*) {
    return PyBool_FromLong(as_future(self)->blocking);
}
int set_blocking(PyObject* self, PyObject* value, void*) {
    if (value == nullptr) {
        PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
        return -1;
    }
    const int truth = PyObject_IsTrue(value);
    if (truth < 0) return -1;
    as_future(self)->blocking = truth != 0;
    return 0;
}
PyObject* get_bound_loop(PyObject* self, void*) {
    auto* f = as_future(self);
    return Py_NewRef(f->loop != nullptr ? f->loop : Py_None);
}
PyObject* get_state(PyObject* self, void*) {
    auto* f = as_future(self);
    if (f->state == future_state::cancelled) return PyUnicode_FromString("CANCELLED");
    return PyUnicode_FromString(is_done(f) ? "FINISHED" : "PENDING");
}
PyObject* get_log_traceback(PyObject* self, void*) {
    return PyBool_FromLong(as_future(self)->unretrieved);
}
PyObject* get_cancel_message(PyObject* self, void*) {
    auto* f = as_future(self);
    return Py_NewRef(f->cancel_message != nullptr ? f->cancel_message : Py_None);
}
int set_log_traceback(PyObject* self, PyObject* value, void*) {
    if (value == nullptr || PyObject_IsTrue(value) != 0) {
        PyErr_SetString(PyExc_ValueError, "_log_traceback can only be set to False");
        return -1;
    }
    as_future(self)->unretrieved = false;
    return 0;
}

template <class F>
PyCFunction as_method(F* f) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

constexpr int fast = METH_FASTCALL | METH_KEYWORDS;
PyMethodDef methods[] = {
    {"result", as_method(result), fast,
     "result($self, /, timeout=None)\n--\n\nThe result, or the exception raised. In a plain thread it waits, at most "
     "`timeout` "
     "seconds (DeadlineExceeded,\na TimeoutError; the operation goes on). Where an event loop runs it does not wait: "
     "InvalidStateError."},
    {"exception", as_method(exception), fast,
     "exception($self, /, timeout=None)\n--\n\nThe exception, or None. Waits as `result` does; raises CancelledError "
     "when "
     "cancelled."},
    {"done", done, METH_NOARGS, "done($self, /)\n--\n\nWhether there is a result, an exception, or it was cancelled."},
    {"cancelled", cancelled, METH_NOARGS, "cancelled($self, /)\n--\n\nWhether it was cancelled."},
    {"cancel", as_method(cancel_method), fast,
     "cancel($self, /, msg=None)\n--\n\nGive up, unless it is done. True: it was given up, and will never have a "
     "result."},
    {"get_loop", get_loop, METH_NOARGS,
     "get_loop($self, /)\n--\n\nThe event loop it belongs to: the one that runs when this, add_done_callback or await "
     "comes "
     "first."},
    {"add_done_callback", as_method(add_done_callback), fast,
     "add_done_callback($self, callback, /, *, context=None)\n--\n\nCall callback(future) in the running event loop "
     "when done."},
    {"remove_done_callback", remove_done_callback, METH_O,
     "remove_done_callback($self, callback, /)\n--\n\nRemove every instance of it; returns how many there were."},
    {"set_result", refuse_setting, METH_O,
     "set_result($self, result, /)\n--\n\nRaises RuntimeError: the engine does that."},
    {"set_exception", refuse_setting, METH_O,
     "set_exception($self, exception, /)\n--\n\nRaises RuntimeError: the engine does that."},
    {"_make_cancelled_error", cancelled_error, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, nullptr, nullptr},
    {"_loop", get_bound_loop, nullptr, nullptr, nullptr},
    {"_state", get_state, nullptr, nullptr, nullptr},
    {"_cancel_message", get_cancel_message, nullptr, nullptr, nullptr},  // gather() reads it on 3.11
    {"_log_traceback", get_log_traceback, set_log_traceback, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(future_object, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

constexpr const char* doc =
    "What a native operation will give: await it in a coroutine, or call result() in a plain thread.\n\n"
    "It has the whole surface of asyncio.Future and works with gather, wait, wait_for, shield, timeouts and task "
    "groups.\nCancelling decides against completion once: after cancel() returned True there is never a result.";

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(doc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_repr, reinterpret_cast<void*>(repr)},
    {Py_tp_iter, reinterpret_cast<void*>(iterate)},
    {Py_tp_iternext, reinterpret_cast<void*>(next)},
    {Py_am_await, reinterpret_cast<void*>(iterate)},
    {Py_am_send, reinterpret_cast<void*>(send)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {0, nullptr},
};
PyType_Spec spec = {
    "headrace.Future", sizeof(future_object), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

PyObject* make_future(pending_result* r) {
    if (any_buried()) free_buried();
    auto* f = allocate();
    if (f == nullptr) {
        r->release_with_gil();
        r->release_with_gil();
        return nullptr;
    }
    f->node = r;
    f->loop = f->callback = f->context = f->more = nullptr;
    f->result = f->exception = f->trace = f->cancel_message = f->weak_references = nullptr;
    f->converting = 0;
    f->process = this_process();
    f->state = future_state::pending;
    f->blocking = f->unretrieved = f->linked = false;
    PyObject_GC_Track(as_object(f));
    return as_object(f);
}

bool is_future(PyObject* object) noexcept {
    return Py_TYPE(object) == future_type;
}

void calls_give_futures(PyTypeObject* type) noexcept {
    giving_type = type;
}

bool gives_future(PyObject* callable) noexcept {
    if (giving_type == nullptr) return false;
    if (PyCFunction_Check(callable) != 0 && PyCFunction_GET_SELF(callable) != nullptr) {
        callable = PyCFunction_GET_SELF(callable);
    }
    return PyObject_TypeCheck(callable, giving_type) != 0;
}

void register_future(pybind11::module_& m) {
    future_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (future_type == nullptr || !register_loop_port()) throw pybind11::error_already_set();
    m.attr("Future") = pybind11::reinterpret_borrow<pybind11::object>(reinterpret_cast<PyObject*>(future_type));
}

}  // namespace headrace::bridge
