// Python calls in worker threads: a queue of them, and threads of an exec::thread_pool that work it off.
//
// A thread takes the GIL for a call and keeps it from one call to the next as long as Python code does not let go of it, so
// that short calls cost no hand-over each. A submit wakes one thread at most, and none while another is on its way; a
// thread that finds more than one call waiting sees to the next thread before it asks for the GIL.
// Threads:  as each function says. The lock is a leaf, held for a few instructions, with the GIL or without.
// Lifetime: shared with its calls.
// Errors:   submit() answers closed, queue_full, forked.
// Stop:     close(), then wait_closed(). A call that has begun cannot be stopped.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/base/policies.hpp>
#include <headrace/exec/settled_word.hpp>
#include <headrace/exec/task.hpp>
#include <headrace/exec/thread_pool.hpp>
#include <headrace/net/alarm.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "call.hpp"

namespace headrace::bindings {

class thread_engine;

/// Its destructor needs the GIL.
class thread_call final : public call {
public:
    /// Takes the references over.
    thread_call(std::shared_ptr<thread_engine> engine, PyObject* function, PyObject* args, PyObject* kwargs);

    call_state state() const noexcept override { return state_.load(std::memory_order_acquire); }
    bool wait(ns timeout) noexcept override;
    bool cancel() noexcept override;
    PyObject* take() override;

    ns deadline = ns::max();

private:
    friend class thread_engine;
    friend class call_queue;
    ~thread_call() override;
    /// With the GIL.
    void run(PyObject* not_set_up);
    void refuse(failure why) noexcept;
    void end(call_state as) noexcept;

    std::shared_ptr<thread_engine> engine_;
    PyObject *function_, *args_, *kwargs_;
    PyObject* result_ = nullptr;
    PyObject* exception_ = nullptr;
    failure why_;
    std::atomic<call_state> state_{call_state::pending};
    exec::settled_word word_;
    thread_call* next_ = nullptr;
    thread_call* previous_ = nullptr;
    bool queued_ = false;
};

/// First in, first out; any can leave from the middle. One at a time.
class call_queue {
public:
    void push(thread_call& c) noexcept;
    thread_call* pop() noexcept;
    void remove(thread_call& c) noexcept;
    std::size_t size() const noexcept { return size_; }
    /// The first, and the one after another.
    thread_call* first() const noexcept { return first_; }
    static thread_call* after(const thread_call& c) noexcept { return c.next_; }

private:
    thread_call* first_ = nullptr;
    thread_call* last_ = nullptr;
    std::size_t size_ = 0;
};

struct thread_engine_stats {
    std::uint64_t submitted = 0, completed = 0, cancelled = 0, timed_out = 0, refused = 0;
    std::size_t waiting = 0, running = 0, threads = 0;
};

class thread_engine : public std::enable_shared_from_this<thread_engine> {
public:
    struct options {
        std::size_t threads;
        std::size_t max_queue_size;
        std::string name;
        PyObject* set_up;  // null, or called without arguments on each thread before its first call; taken over
    };
    explicit thread_engine(const options& o);
    ~thread_engine();
    thread_engine(const thread_engine&) = delete;
    thread_engine& operator=(const thread_engine&) = delete;

    /// Any thread. Takes one reference of the call when it answers nothing.
    failure submit(thread_call& c);
    /// True: it waited and is out of the queue, with its reference.
    bool withdraw(thread_call& c);
    /// Any thread, without the GIL: false after `timeout`.
    bool wait_room(ns timeout);
    /// With the GIL.
    void close(stop_mode mode);
    /// Without the GIL; true once no call waits or runs.
    bool wait_closed(ns timeout);
    bool closed() const;
    thread_engine_stats stats() const;
    bool forked() const noexcept { return fork_generation() != generation_; }
    int traverse(visitproc visit, void* arg) const {
        Py_VISIT(set_up_);
        return 0;
    }

private:
    class runner;
    friend class runner;
    bool wants_runner() HEADRACE_REQUIRES(m_);
    void start_runner();
    void work();
    /// Null when nothing waits: then the runner has left.
    thread_call* next(bool first);
    void run_one(thread_call& c);
    PyObject* set_up_thread();
    ns sweep(ns now);
    void free_buried();
    void stop_threads();

    const std::size_t threads_, max_queue_size_;
    const std::string name_;
    PyObject* set_up_;
    const std::uint32_t generation_ = fork_generation();

    mutable mutex m_;
    condition room_, idle_;
    call_queue queue_ HEADRACE_GUARDED_BY(m_);
    std::size_t runners_ HEADRACE_GUARDED_BY(m_) = 0;
    std::size_t searching_ HEADRACE_GUARDED_BY(m_) = 0;  // on their way, without a call yet
    std::size_t running_ HEADRACE_GUARDED_BY(m_) = 0;
    std::size_t waiting_for_room_ HEADRACE_GUARDED_BY(m_) = 0;
    std::vector<thread_call*> buried_ HEADRACE_GUARDED_BY(m_);  // for whoever has the GIL next
    bool closed_ HEADRACE_GUARDED_BY(m_) = false;
    thread_engine_stats counters_ HEADRACE_GUARDED_BY(m_);
    std::unique_ptr<exec::thread_pool> pool_;
    std::once_flag alarm_made_;
    std::unique_ptr<net::alarm> alarm_;  // last: goes first
};

}  // namespace headrace::bindings
