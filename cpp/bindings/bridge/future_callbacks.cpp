#include "asyncio_names.hpp"
#include "future_object.hpp"
#include "loop_port.hpp"

namespace headrace::bridge {
namespace {

int append(future_object* f, PyObject* callback, PyObject* context) {
    if (f->callback == nullptr && f->more == nullptr) {
        f->callback = Py_NewRef(callback);
        f->context = Py_NewRef(context);
        return 0;
    }
    if (f->more == nullptr) f->more = PyList_New(0);
    PyObject* pair = f->more == nullptr ? nullptr : PyTuple_Pack(2, callback, context);
    if (pair == nullptr) return -1;
    const int bad = PyList_Append(f->more, pair);
    Py_DECREF(pair);
    return bad;
}

// Callbacks are called once the engine has finished: the loop is told, and the engine keeps the future alive.
// 1: waiting, 0: it is done already, -1: an error.
int wait_for_completion(future_object* f) {
    auto* port = port_of(f->loop);
    if (port == nullptr) return -1;
    f->node->set_future(Py_NewRef(as_object(f)));
    if (!f->node->bind(*port->queue)) {
        Py_DECREF(f->node->take_future());
        return 0;
    }
    f->linked = true;
    return 1;
}

bool is_exit() {
    return PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0 || PyErr_ExceptionMatches(PyExc_SystemExit) != 0;
}

void report_current(future_object* f, const char* message) {
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    PyErr_NormalizeException(&kind, &value, &trace);
    if (trace != nullptr) PyException_SetTraceback(value, trace);
    report(f->loop, message, value, as_object(f));
    Py_XDECREF(kind);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

// What the Handle of call_soon would do, at the same place: the top of the loop.
// 1: done, 0: the context is in use, -1: KeyboardInterrupt or SystemExit.
int step_task(future_object* f) {
    if (PyContext_Enter(f->context) < 0) {
        PyErr_Clear();
        return 0;
    }
    PyObject* callback = std::exchange(f->callback, nullptr);
    PyObject* context = std::exchange(f->context, nullptr);
    PyObject* done = PyObject_CallOneArg(callback, as_object(f));
    int result = 1;
    if (done == nullptr) {
        if (is_exit()) {
            result = -1;
        } else {
            report_current(f, "Exception in a task stepped by a headrace.Future");
        }
    }
    Py_XDECREF(done);
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    PyContext_Exit(context);
    Py_DECREF(context);
    Py_DECREF(callback);
    PyErr_Restore(kind, value, trace);
    return result;
}

}  // namespace

int add_callback(future_object* f, PyObject* callback, PyObject* context) {
    if (!is_done(f) && refuse_after_fork(f) < 0) return -1;
    if (choose_loop(f) < 0) return -1;
    if (f->linked) return append(f, callback, context);
    if (!is_done(f) && f->node != nullptr) {
        if (f->loop != running_loop()) {
            PyErr_SetString(PyExc_RuntimeError, "this headrace.Future belongs to another event loop");
            return -1;
        }
        const int waiting = wait_for_completion(f);
        if (waiting < 0) return -1;
        if (waiting == 1) return append(f, callback, context);
    }
    return call_soon(f->loop, callback, as_object(f), context);
}

Py_ssize_t remove_callback(future_object* f, PyObject* callback) {
    Py_ssize_t removed = 0;
    if (f->callback != nullptr) {
        const int same = PyObject_RichCompareBool(f->callback, callback, Py_EQ);
        if (same < 0) return -1;
        if (same == 1) {
            Py_CLEAR(f->callback);
            Py_CLEAR(f->context);
            ++removed;
        }
    }
    if (f->more == nullptr) return removed;
    PyObject* kept = PyList_New(0);
    if (kept == nullptr) return -1;
    // A comparison may run anything, also what changes the list.
    for (Py_ssize_t i = 0; f->more != nullptr && i < PyList_GET_SIZE(f->more); ++i) {
        PyObject* pair = Py_NewRef(PyList_GET_ITEM(f->more, i));
        const int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(pair, 0), callback, Py_EQ);
        const int bad = same == 0 ? PyList_Append(kept, pair) : same;
        Py_DECREF(pair);
        if (bad < 0) {
            Py_DECREF(kept);
            return -1;
        }
        removed += same;
    }
    if (f->more == nullptr) {
        Py_DECREF(kept);
    } else {
        Py_SETREF(f->more, kept);
    }
    return removed;
}

int schedule_callbacks(future_object* f) {
    PyObject* callback = std::exchange(f->callback, nullptr);
    PyObject* context = std::exchange(f->context, nullptr);
    PyObject* more = std::exchange(f->more, nullptr);
    int result = callback == nullptr ? 0 : call_soon(f->loop, callback, as_object(f), context);
    for (Py_ssize_t i = 0; more != nullptr && result == 0 && i < PyList_GET_SIZE(more); ++i) {
        PyObject* pair = PyList_GET_ITEM(more, i);
        result = call_soon(f->loop, PyTuple_GET_ITEM(pair, 0), as_object(f), PyTuple_GET_ITEM(pair, 1));
    }
    Py_XDECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(more);
    return result;
}

void drop_callbacks(future_object* f) {
    Py_CLEAR(f->callback);
    Py_CLEAR(f->context);
    Py_CLEAR(f->more);
}

int cancel(future_object* f, PyObject* message) {
    f->unretrieved = false;
    if (f->state != future_state::pending || f->node == nullptr || f->converting != 0) return 0;
    if (f->process != this_process()) return 0;
    if (!f->node->try_cancel()) return 0;
    auto* node = std::exchange(f->node, nullptr);
    f->state = future_state::cancelled;
    f->linked = false;
    if (message != nullptr && message != Py_None) f->cancel_message = Py_NewRef(message);
    node->on_cancel();
    PyObject* kept_by_engine = node->take_future();
    node->release_with_gil();
    const int bad = schedule_callbacks(f);
    Py_XDECREF(kept_by_engine);  // the caller holds another
    return bad < 0 ? -1 : 1;
}

int deliver(pending_result& r, loop_port* port, bool nested) {
    if (r.is_bound()) port->queue->unlink(r);
    if (r.is_errand()) {
        const int result = r.run(nested);
        r.release_with_gil();
        return result;
    }
    PyObject* object = r.take_future();
    if (object == nullptr) {
        r.release_with_gil();
        return 0;
    }
    auto* f = as_future(object);
    int result = 0;
    {
        const critical_section hold(object);
        if (convert(f) < 0) report_current(f, "a headrace.Future could not be converted");
        r.release_with_gil();
        f->linked = false;
        const bool alone = f->callback != nullptr && f->more == nullptr;
        if (alone && !nested && is_task_wakeup(f->callback)) result = step_task(f);
        if (result == 0 && (f->callback != nullptr || f->more != nullptr) && schedule_callbacks(f) < 0) {
            report_current(f, "callbacks of a headrace.Future were not called");
        }
    }
    Py_DECREF(object);
    return result < 0 ? -1 : 0;
}

void abandon(pending_result& r) {
    PyObject* object = r.take_future();
    if (object == nullptr) {
        if (r.is_errand()) r.on_cancel();
        return;
    }
    auto* f = as_future(object);
    f->linked = false;
    if (f->state == future_state::pending && f->node == &r && r.try_cancel()) {
        f->node = nullptr;
        f->state = future_state::cancelled;
        r.on_cancel();
        r.release_with_gil();
    }
    drop_callbacks(f);
    Py_DECREF(object);
}

}  // namespace headrace::bridge
