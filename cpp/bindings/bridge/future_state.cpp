#include <sched.h>

#include <cmath>
#include <headrace/exec/thread_pool.hpp>
#include <optional>

#include "../python_error.hpp"
#include "../waiting.hpp"
#include "asyncio_names.hpp"
#include "future_object.hpp"
#include "loop_port.hpp"

namespace headrace::bridge {
namespace {

void (*wait_begins)() noexcept = nullptr;
void (*wait_ends)() noexcept = nullptr;

// A worker that waits gives its place to another one: what it waits for may need it.
class watched_wait {
public:
    watched_wait() noexcept : on_worker_(exec::thread_pool::on_worker()) {
        if (!on_worker_) return;
        PyThreadState* state = PyEval_SaveThread();
        place_.emplace();
        if (wait_begins != nullptr) wait_begins();
        PyEval_RestoreThread(state);
    }
    ~watched_wait() {
        if (!on_worker_) return;
        PyThreadState* state = PyEval_SaveThread();
        if (wait_ends != nullptr) wait_ends();
        place_.reset();
        PyEval_RestoreThread(state);
    }
    watched_wait(const watched_wait&) = delete;
    watched_wait& operator=(const watched_wait&) = delete;

private:
    const bool on_worker_;
    std::optional<exec::thread_pool::blocking_scope> place_;
};

// The error that is set now becomes the future's. A StopIteration would end the coroutine that awaits.
void keep_exception(future_object* f) {
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    PyErr_NormalizeException(&kind, &value, &trace);
    if (PyErr_GivenExceptionMatches(value, PyExc_StopIteration) != 0) {
        PyObject* instead = PyObject_CallFunction(PyExc_RuntimeError, "s", "a native result raised StopIteration");
        if (instead != nullptr) {
            PyException_SetCause(instead, value);
            value = instead;
        }
    }
    Py_XDECREF(kind);
    f->exception = value;
    f->trace = trace;
    f->unretrieved = true;
}

void let_others_run() {
    PyThreadState* state = PyEval_SaveThread();
    ::sched_yield();
    PyEval_RestoreThread(state);
}

void raise_timeout(double seconds) {
    char text[128];
    std::snprintf(text, sizeof text, "no result after %g s; the operation goes on: wait again, or cancel() it",
                  seconds);
    bindings::raise(failure::of(errc::timed_out, text));
}

}  // namespace

int convert(future_object* f) {
    while (f->converting != 0) {
        if (f->converting == PyThread_get_thread_ident()) {
            PyErr_SetString(PyExc_RuntimeError, "the result of this future is being converted by this very thread");
            return -1;
        }
        let_others_run();
    }
    if (f->state != future_state::pending) return 0;
    f->converting = PyThread_get_thread_ident();
    auto* node = std::exchange(f->node, nullptr);
    f->result = node->to_python();
    if (f->result == nullptr) keep_exception(f);
    f->state = future_state::finished;
    f->converting = 0;
    node->release_with_gil();
    return 0;
}

PyObject* outcome(future_object* f) {
    if (f->state == future_state::pending && convert(f) < 0) return nullptr;
    if (f->result != nullptr) return Py_NewRef(f->result);
    if (f->state == future_state::cancelled) {
        if (PyObject* error = make_cancelled_error(f)) {
            PyErr_SetObject(names()->cancelled_error, error);
            Py_DECREF(error);
        }
        return nullptr;
    }
    f->unretrieved = false;
    // The trace starts anew each time: it would grow with every raise.
    PyException_SetTraceback(f->exception, f->trace != nullptr ? f->trace : Py_None);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(f->exception)), f->exception);
    return nullptr;
}

PyObject* outcome_exception(future_object* f) {
    if (f->state == future_state::pending && convert(f) < 0) return nullptr;
    if (f->state == future_state::cancelled) return outcome(f);
    f->unretrieved = false;
    return Py_NewRef(f->exception != nullptr ? f->exception : Py_None);
}

PyObject* make_cancelled_error(future_object* f) {
    const auto* n = names();
    if (n == nullptr) return nullptr;
    return f->cancel_message == nullptr ? PyObject_CallNoArgs(n->cancelled_error)
                                        : PyObject_CallOneArg(n->cancelled_error, f->cancel_message);
}

int refuse_after_fork(const future_object* f) {
    if (f->process == this_process()) return 0;
    bindings::raise(
        failure::of(errc::forked, "this future was made before fork(); its result comes in the parent only"));
    return -1;
}

void watch_waits(void (*begins)() noexcept, void (*ends)() noexcept) noexcept {
    wait_begins = begins;
    wait_ends = ends;
}

int wait_done(future_object* f, PyObject* timeout) {
    double seconds = INFINITY;
    if (timeout != Py_None) {
        seconds = PyFloat_AsDouble(timeout);
        if (seconds == -1.0 && PyErr_Occurred() != nullptr) return -1;
        if (std::isnan(seconds)) {
            PyErr_SetString(PyExc_ValueError, "timeout must be a number of seconds or None, not nan");
            return -1;
        }
    }
    if (refuse_after_fork(f) < 0) return -1;
    if (running_loop() != nullptr) {
        PyErr_SetString(names()->invalid_state_error, "Result is not set; in a coroutine, await the future.");
        return -1;
    }
    if (is_done(f)) return 0;
    const watched_wait told;
    const ns deadline = monotonic_now() + bindings::to_ns(seconds);
    while (!is_done(f)) {
        const ns left = deadline - monotonic_now();
        if (left.count() <= 0) {
            raise_timeout(seconds);
            return -1;
        }
        if (f->converting != 0 || f->node == nullptr) {
            let_others_run();
            continue;
        }
        auto* node = f->node;
        node->keep();
        PyThreadState* state = PyEval_SaveThread();
        node->wait(std::min(left, bindings::wait_slice));
        PyEval_RestoreThread(state);
        node->release_with_gil();
        if (PyErr_CheckSignals() != 0) return -1;
    }
    return 0;
}

int choose_loop(future_object* f) {
    if (f->loop != nullptr) return 0;
    PyObject* loop = running_loop();
    if (loop == nullptr) {
        PyErr_SetString(PyExc_RuntimeError,
                        "no running event loop: a headrace.Future is awaited in a coroutine; a thread calls result()");
        return -1;
    }
    f->loop = Py_NewRef(loop);
    return 0;
}

}  // namespace headrace::bridge
