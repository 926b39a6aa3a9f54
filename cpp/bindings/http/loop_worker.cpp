#include "loop_worker.hpp"

#include <algorithm>
#include <utility>

#include "../bridge/asyncio_names.hpp"
#include "../bridge/loop_port.hpp"
#include "../coroutine.hpp"

namespace headrace::bindings {
namespace {

PyTypeObject* worker_type = nullptr;

loop_worker* of(PyObject* self) {
    return reinterpret_cast<loop_worker*>(self);
}
PyObject* object(loop_worker* w) {
    return reinterpret_cast<PyObject*>(w);
}

// The error that is set, kept while other Python runs.
class set_aside {
public:
    set_aside() { PyErr_Fetch(&kind_, &value_, &trace_); }
    ~set_aside() { PyErr_Restore(kind_, value_, trace_); }
    set_aside(const set_aside&) = delete;
    set_aside& operator=(const set_aside&) = delete;

private:
    PyObject *kind_, *value_, *trace_;
};

// Tells the job what came of it, and lets go of it. An error that is set stays set.
void finish(loop_worker* w, PyObject* result) {
    auto* const job = std::exchange(w->job, nullptr);
    if (job == nullptr) return;
    job->worker = nullptr;
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    if (kind != nullptr) {
        PyErr_NormalizeException(&kind, &value, &trace);
        if (trace != nullptr) PyException_SetTraceback(value, trace);
        PyErr_Restore(Py_NewRef(kind), Py_XNewRef(value), Py_XNewRef(trace));
    }
    job->done(result);
    PyErr_Clear();
    Py_CLEAR(w->inner);
    Py_CLEAR(w->context);
    job->release_with_gil();
    PyErr_Restore(kind, value, trace);
}

// Whether this Task can have another job: nobody else holds it, nothing is to be called when it ends, and no cancel has
// been asked for.
bool reusable(loop_worker* w) {
#ifdef Py_GIL_DISABLED
    static_cast<void>(w);
    return false;
#else
    static PyObject* callbacks = PyUnicode_InternFromString("_callbacks");
    static PyObject* cancelling = PyUnicode_InternFromString("cancelling");
    if (w->task == nullptr || w->task_references == 0 || Py_REFCNT(w->task) > w->task_references) return false;
    PyObject* list = PyObject_GetAttr(w->task, callbacks);
    PyObject* count = list == nullptr ? nullptr : PyObject_CallMethodNoArgs(w->task, cancelling);
    const bool good = list == Py_None && count != nullptr && PyLong_CheckExact(count) && PyLong_AsLong(count) == 0;
    if (count == nullptr) PyErr_Clear();
    Py_XDECREF(list);
    Py_XDECREF(count);
    return good;
#endif
}

// The Task ends with this step.
void leave(loop_worker* w) noexcept {
    auto* const task = std::exchange(w->task, nullptr);
    if (task == nullptr) return;
    const set_aside error;
    bridge::let_go_of_task(w->loop, task);
}

// After a job: waits for the next, or ends.
PySendResult next_or_end(loop_worker* w, PyObject** out) {
    const auto inbox = std::exchange(w->inbox, nullptr);
    if (inbox == nullptr || inbox->closed() || inbox->side().idle.size() >= loop_side::max_idle || !reusable(w)) {
        leave(w);
        *out = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    w->idle_in = &inbox->side();
    w->idle_in->idle.push_back(w);
    Py_INCREF(object(w));
    w->blocking = true;
    *out = Py_NewRef(object(w));
    return PYGEN_NEXT;
}

PySendResult after(loop_worker* w, PySendResult how, PyObject** out) {
    switch (how) {
        case PYGEN_NEXT: return how;
        case PYGEN_RETURN: {
            PyObject* result = std::exchange(*out, nullptr);
            finish(w, result);
            Py_DECREF(result);
            return next_or_end(w, out);
        }
        case PYGEN_ERROR: break;
    }
    const auto* names = bridge::names();
    const bool goes_on = PyErr_ExceptionMatches(PyExc_Exception) == 0 ||
                         (names != nullptr && PyErr_ExceptionMatches(names->cancelled_error) != 0);
    finish(w, nullptr);
    if (goes_on) {
        leave(w);
        return PYGEN_ERROR;
    }
    PyErr_Clear();
    return next_or_end(w, out);
}

// The steps of a coroutine: itself, or what its __await__ gives.
PyObject* steps_of(PyObject* awaitable) {
    if (PyCoro_CheckExact(awaitable) != 0) return Py_NewRef(awaitable);
    const PyAsyncMethods* methods = Py_TYPE(awaitable)->tp_as_async;
    if (methods != nullptr && methods->am_await != nullptr) return methods->am_await(awaitable);
    PyErr_Format(PyExc_TypeError, "a coroutine was expected, got %.200s", Py_TYPE(awaitable)->tp_name);
    return nullptr;
}

bool begin(loop_worker* w) {
#ifndef Py_GIL_DISABLED
    if (w->task != nullptr) w->task_references = Py_REFCNT(w->task);
#endif
    PyObject* coroutine = w->job->begin();
    if (coroutine == nullptr) return false;
    w->inner = steps_of(coroutine);
    Py_DECREF(coroutine);
    return w->inner != nullptr;
}

PySendResult step(PyObject* self, PyObject* value, PyObject** out) {
    auto* const w = of(self);
    *out = nullptr;
    if (w->job == nullptr) {
        leave(w);
        *out = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    if (PyContext_Enter(w->context) < 0) return after(w, PYGEN_ERROR, out);
    PyObject* const entered = Py_NewRef(w->context);
    PySendResult how = PYGEN_ERROR;
    if (w->inner != nullptr || begin(w)) how = PyIter_Send(w->inner, value, out);
    {
        const set_aside error;
        PyContext_Exit(entered);
        Py_DECREF(entered);
    }
    return after(w, how, out);
}

PyObject* send(PyObject* self, PyObject* value) {
    PyObject* out = nullptr;
    const PySendResult how = step(self, value, &out);
    return as_method_result(how, out);
}

PyObject* next(PyObject* self) {
    return send(self, Py_None);
}

PyObject* throw_in(PyObject* self, PyObject* args) {
    auto* const w = of(self);
    PyObject* out = nullptr;
    PySendResult how = PYGEN_ERROR;
    if (w->inner == nullptr) {  // idle, or cancelled before its first step
        raise_thrown(args);
    } else if (PyContext_Enter(w->context) == 0) {
        PyObject* const entered = Py_NewRef(w->context);
        how = throw_into(w->inner, args, &out);
        const set_aside error;
        PyContext_Exit(entered);
        Py_DECREF(entered);
    }
    how = after(w, how, &out);
    return as_method_result(how, out);
}

PyObject* close(PyObject* self, PyObject*) {
    auto* const w = of(self);
    PyObject* done = w->inner == nullptr ? Py_NewRef(Py_None) : PyObject_CallMethod(w->inner, "close", nullptr);
    if (w->job != nullptr && bridge::names() != nullptr) {
        const set_aside error;
        PyErr_SetNone(bridge::names()->cancelled_error);
        finish(w, nullptr);
        PyErr_Clear();
    }
    return done;
}

// --- what the Task asks of it as a future, while idle ---

PyObject* get_loop(PyObject* self, PyObject*) {
    return Py_NewRef(of(self)->loop);
}

PyObject* add_done_callback(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (count != 1 || names == nullptr || PyTuple_GET_SIZE(names) != 1) {
        PyErr_SetString(PyExc_TypeError, "add_done_callback(callback, *, context)");
        return nullptr;
    }
    Py_XSETREF(of(self)->wake_up, Py_NewRef(args[0]));
    Py_XSETREF(of(self)->wake_context, Py_NewRef(args[1]));
    Py_RETURN_NONE;
}

PyObject* result(PyObject* self, PyObject*) {
    if (!of(self)->cancelled) Py_RETURN_NONE;
    if (const auto* names = bridge::names()) PyErr_SetNone(names->cancelled_error);
    return nullptr;
}

PyObject* cancel(PyObject* self, PyObject*, PyObject*) {
    auto* const w = of(self);
    if (w->wake_up == nullptr || w->cancelled) Py_RETURN_FALSE;
    w->cancelled = true;
    if (w->idle_in != nullptr) std::exchange(w->idle_in, nullptr)->forget(w);
    if (w->wake(true) < 0) return nullptr;
    Py_RETURN_TRUE;
}

PyObject* get_blocking(PyObject* self, void*) {
    return PyBool_FromLong(of(self)->blocking);
}
int set_blocking(PyObject* self, PyObject* value, void*) {
    of(self)->blocking = value == Py_True;
    return 0;
}
PyObject* get_name(PyObject*, void*) {
    return PyUnicode_FromString("headrace job");
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    auto* const w = of(self);
    if (w->job != nullptr && bridge::names() != nullptr) {  // its loop dropped the Task
        const set_aside error;
        PyErr_SetNone(bridge::names()->cancelled_error);
        finish(w, nullptr);
        PyErr_Clear();
    }
    for (auto** member : {&w->inner, &w->context, &w->wake_up, &w->wake_context, &w->loop}) Py_CLEAR(*member);
    w->inbox.~shared_ptr();
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self)->inner);
    Py_VISIT(of(self)->context);
    Py_VISIT(of(self)->wake_up);
    Py_VISIT(of(self)->wake_context);
    Py_VISIT(of(self)->loop);
    return 0;
}

int clear(PyObject* self) {
    Py_CLEAR(of(self)->inner);
    Py_CLEAR(of(self)->wake_up);
    return 0;
}

PyMethodDef methods[] = {
    {"send", send, METH_O, nullptr},
    {"throw", throw_in, METH_VARARGS, nullptr},
    {"close", close, METH_NOARGS, nullptr},
    {"get_loop", get_loop, METH_NOARGS, nullptr},
    {"add_done_callback", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(add_done_callback)),
     METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"result", result, METH_NOARGS, nullptr},
    {"cancel", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(cancel)), METH_VARARGS | METH_KEYWORDS,
     nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef attributes[] = {
    {"__name__", get_name, nullptr, nullptr, nullptr},
    {"__qualname__", get_name, nullptr, nullptr, nullptr},
    {"_asyncio_future_blocking", get_blocking, set_blocking, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_am_await, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_am_send, reinterpret_cast<void*>(step)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(next)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.http.LoopWorker", sizeof(loop_worker), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

void loop_worker::take(loop_job& j, std::shared_ptr<loop_inbox> box) noexcept {
    j.keep();
    j.worker = this;
    job = &j;
    idle_in = nullptr;
    inbox = std::move(box);
}

int loop_worker::make_for(loop_job& job, loop_side& side, std::shared_ptr<loop_inbox> inbox) {
    auto* const w = PyObject_GC_New(loop_worker, worker_type);
    if (w == nullptr) return -1;
    w->inner = w->wake_up = w->wake_context = w->task = nullptr;
    w->job = nullptr;
    w->idle_in = nullptr;
    w->task_references = 0;
    w->blocking = w->cancelled = false;
    new (&w->inbox) std::shared_ptr<loop_inbox>();
    w->loop = Py_NewRef(side.loop);
    w->context = PyContext_Copy(side.context);
    PyObject_GC_Track(object(w));
    w->take(job, std::move(inbox));
    PyObject* task = w->context == nullptr ? nullptr : PyObject_CallMethod(side.loop, "create_task", "O", object(w));
    if (task != nullptr) {
        if (w->job != nullptr) {  // it may have run, and ended, already
            w->task = task;
            bridge::hold_task(side.loop, task);
        }
        Py_DECREF(task);
    } else if (w->job != nullptr) {
        w->job = nullptr;
        job.worker = nullptr;
        job.release_with_gil();
    }
    Py_DECREF(object(w));
    return task == nullptr ? -1 : 0;
}

int loop_worker::wake(bool nested) {
    PyObject* const call = std::exchange(wake_up, nullptr);
    PyObject* const where = std::exchange(wake_context, nullptr);
    if (job != nullptr) Py_XSETREF(context, PyContext_Copy(inbox->side().context));
    int status = 0;
    if (nested || PyContext_Enter(where) < 0) {
        PyErr_Clear();
        status = bridge::call_soon(loop, call, object(this), where);
    } else {
        PyObject* const stepped = PyObject_CallOneArg(call, object(this));
        status = stepped == nullptr ? -1 : 0;
        Py_XDECREF(stepped);
        const set_aside error;
        PyContext_Exit(where);
    }
    Py_DECREF(call);
    Py_DECREF(where);
    return status;
}

void loop_worker::end() noexcept {
    if (wake(true) < 0) PyErr_Clear();  // the loop is closed
}

int loop_side::run(bool) {
    for (auto* w : std::exchange(idle, {})) {
        w->idle_in = nullptr;
        w->end();
        Py_DECREF(object(w));
    }
    return 0;
}

void loop_side::on_cancel() noexcept {
    if (const auto inbox = inbox_.lock()) inbox->loop_is_gone();
    for (auto* w : std::exchange(idle, {})) {
        w->idle_in = nullptr;
        Py_DECREF(object(w));
    }
}

void loop_side::forget(loop_worker* w) noexcept {
    const auto found = std::find(idle.begin(), idle.end(), w);
    if (found == idle.end()) return;
    idle.erase(found);
    Py_DECREF(object(w));
}

loop_side::~loop_side() {
    Py_DECREF(context);
}

bool register_loop_worker() {
    worker_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    return worker_type != nullptr;
}

}  // namespace headrace::bindings
