// The memory of a headrace.Future and what its files share; bindings use future.hpp.
//
//   future.cpp            the type: its methods as Python sees them
//   future_state.cpp      how a Future gets from pending to done, and what it tells about it
//   future_callbacks.cpp  who is called when it does
// Threads:  with the GIL; on a free-threaded build, inside a critical_section of the object.
#pragma once

#include <pybind11/pybind11.h>

#include "completion.hpp"

namespace headrace::bridge {

struct loop_port;

enum class future_state : std::uint8_t { pending, finished, cancelled };

struct future_object {
    PyObject_HEAD pending_result* node;  // null once the result was converted, or the future cancelled
    PyObject* loop;                      // null: not bound to one yet
    PyObject* callback;                  // the first one; null: none
    PyObject* context;                   // of the first one
    PyObject* more;                      // list of (callback, context), or null
    PyObject* result;                    // or null
    PyObject* exception;                 // or null
    PyObject* trace;                     // of exception, as it was set
    PyObject* cancel_message;            // or null
    PyObject* weak_references;
    unsigned long converting;  // the thread that runs to_python(), or 0
    std::uint32_t process;     // of fork
    future_state state;        // as converted; the node may know more
    bool blocking;             // the protocol of Task
    bool unretrieved;          // an exception that nobody has seen
    bool linked;               // callbacks wait for the drain of the loop
};

/// Where there is no GIL it locks the object; otherwise nothing.
class critical_section {
public:
#ifdef Py_GIL_DISABLED
    explicit critical_section(PyObject* o) {
        PyCriticalSection_Begin(&section_, o);
    }
    ~critical_section() {
        PyCriticalSection_End(&section_);
    }

private:
    PyCriticalSection section_;
#else
    explicit critical_section(PyObject*) {}
    ~critical_section() {}
#endif
public:
    critical_section(const critical_section&) = delete;
    critical_section& operator=(const critical_section&) = delete;
};

inline future_object* as_future(PyObject* o) {
    return reinterpret_cast<future_object*>(o);
}
inline PyObject* as_object(future_object* f) {
    return reinterpret_cast<PyObject*>(f);
}

inline bool is_done(const future_object* f) {
    return f->state != future_state::pending || (f->converting == 0 && f->node != nullptr && f->node->done());
}

// future_state.cpp
/// A done future's result is converted now, unless it was. Waits for another thread that is at it. -1 with an error:
/// this very thread is at it.
int convert(future_object* f);
/// The result or what it raises, of a done future.
PyObject* outcome(future_object* f);
/// The exception (a new reference), None, or null with CancelledError raised, of a done future.
PyObject* outcome_exception(future_object* f);
/// A new CancelledError with the message of cancel().
PyObject* make_cancelled_error(future_object* f);
/// Waits as a plain thread until done. -1 with an error: timed out, interrupted, or called where a loop runs.
int wait_done(future_object* f, PyObject* timeout);
/// -1 with Forked raised: the future belongs to the parent process.
int refuse_after_fork(const future_object* f);
/// Chooses the running loop, if none was chosen before. -1 with an error when there is none.
int choose_loop(future_object* f);

// future_callbacks.cpp
int add_callback(future_object* f, PyObject* callback, PyObject* context);
/// Removes every callback equal to this one and returns how many there were; -1 with an error.
Py_ssize_t remove_callback(future_object* f, PyObject* callback);
/// All of them through the loop, in order. -1 with an error of the loop.
int schedule_callbacks(future_object* f);
void drop_callbacks(future_object* f);
/// Decides against completion. 1: cancelled, 0: it was done, -1: cancelled, with an error of the loop.
int cancel(future_object* f, PyObject* message);
/// Drain: converts, calls back, and gives up the engine's reference to `r`. -1: KeyboardInterrupt or SystemExit.
int deliver(pending_result& r, loop_port* port, bool nested);
/// The loop is gone: cancels if still pending and drops the callbacks. Keeps the engine's reference.
void abandon(pending_result& r);

}  // namespace headrace::bridge
