// The two ends that an application gets, receive() and send(), as coroutines without a Python frame.
//
// A call gives an object with the surface of a coroutine; its first step does the work, and only a step that has to wait
// makes a Future. So an answer that is known costs one small object.
// Threads:  with the GIL, on the loop's thread.
// Lifetime: both ends hold the channel. Errors: raised where the application awaits.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/base/mutex.hpp>
#include <memory>
#include <vector>

#include "../bridge/future.hpp"
#include "../http/loop_inbox.hpp"

namespace headrace::bindings::asgi {

/// What became of a receive or a send.
enum class outcome : std::uint8_t {
    done,   ///< `out` is the message, or None
    wait,   ///< `out` is an awaitable; to be asked again when it is done
    error,  ///< a Python error is set
};

class channel : public loop_job {
public:
    using loop_job::loop_job;
    virtual outcome receive(PyObject*& out) = 0;
    virtual outcome send(PyObject* message, PyObject*& out) = 0;

protected:
    /// application(scope, receive, send): a coroutine, or null with an error set. Takes `scope` over; null: its error is set.
    PyObject* call(PyObject* application, PyObject* scope);

private:
    bool make_ends(PyObject*& receive_end, PyObject*& send_end);
};

/// Finishes a result once: when called, or at the latest with its own end. Any thread, without the GIL.
class finisher {
public:
    explicit finisher(bridge::pending_result& r) noexcept : result_(&r) {}
    ~finisher() { (*this)(); }
    finisher(const finisher&) = delete;
    finisher& operator=(const finisher&) = delete;
    void operator()() noexcept {
        if (auto* r = result_.exchange(nullptr)) bridge::pending_result::finish(*r);
    }
    /// Nobody waits any more. Not while another thread may call it.
    bool given_up() const noexcept {
        const auto* r = result_.load();
        return r == nullptr || r->cancelled();
    }

private:
    std::atomic<bridge::pending_result*> result_;
};

/// Wakes everybody who waits for one event. Any thread, without the GIL.
class bell {
public:
    void add(std::shared_ptr<finisher> one) HEADRACE_EXCLUDES(mutex_);
    void ring() noexcept HEADRACE_EXCLUDES(mutex_);
    bool rung() const noexcept HEADRACE_EXCLUDES(mutex_);

private:
    mutable mutex mutex_;
    bool rung_ HEADRACE_GUARDED_BY(mutex_) = false;
    std::vector<std::shared_ptr<finisher>> waiting_ HEADRACE_GUARDED_BY(mutex_);
};

/// A Future that is done, with None, when the finisher is called, or goes. Null with an error set.
PyObject* make_wait(std::shared_ptr<finisher>& done);

/// Whether the error that is set is how an application gives up when nobody listens any more.
bool gives_up();

bool register_channel();

}  // namespace headrace::bindings::asgi
