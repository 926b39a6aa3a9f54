// The way of native work to one asyncio loop: jobs from any thread, run as tasks of that loop.
//
// An inbox uses the completion queue of its loop: a lock-free list, one eventfd write per sleep of the loop, one drain per
// tick. A job's coroutine runs in a real asyncio.Task, because libraries look at current_task(), cancel it and hang state
// on it; and in a context of its own. Tasks are kept and used for the next job when nobody else holds them, so that a job
// whose coroutine never waits costs neither a Task nor a turn of the loop: the drain steps it.
// Threads:  post() and cancel() from any thread, without the GIL; the rest on the loop's thread, with it.
// Lifetime: shared by whoever posts. May outlive its loop, and may be let go of on any thread.
// Errors:   a refused job stays the caller's. What a coroutine raises goes to its job.
// Stop:     the loop's end refuses what comes later and calls on_cancel() of what was not run. The inbox's own end ends the
//           tasks that wait for jobs.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../bridge/completion.hpp"

namespace headrace::bindings {

class loop_inbox;
class loop_side;
struct loop_worker;

/// A coroutine to be run on a loop. Made with one reference, which post() gives to the loop; keep() adds one.
class loop_job : public bridge::pending_result {
public:
    explicit loop_job(destruction where = destruction::with_gil) noexcept : pending_result(where, role::errand) {}

    /// On the loop, with the GIL, in the job's context: the coroutine, a new reference, or null with an error set.
    virtual PyObject* begin() = 0;
    /// On the loop, with the GIL, once after begin(): the result (borrowed), or null with the error set, which it may leave.
    virtual void done(PyObject* result) noexcept = 0;
    /// With the GIL, instead of both: the loop is gone.
    void on_cancel() noexcept override = 0;

    PyObject* to_python() final { return nullptr; }
    int run(bool nested) final;
    /// While it has a task, on the loop's thread; borrowed.
    loop_worker* worker = nullptr;

private:
    friend class loop_inbox;
    std::shared_ptr<loop_inbox> inbox_;  // until it runs
};

class loop_inbox : public std::enable_shared_from_this<loop_inbox> {
public:
    /// For the loop that runs in this thread. Null with an error set.
    static std::shared_ptr<loop_inbox> make();
    ~loop_inbox();
    loop_inbox(const loop_inbox&) = delete;
    loop_inbox& operator=(const loop_inbox&) = delete;

    /// False when the loop is gone, or this is a child of fork().
    bool post(loop_job& job) noexcept;
    /// The job's task is cancelled, when it gets there before the job's end. The caller holds a reference to the job.
    void cancel(loop_job& job) noexcept;
    /// Something else for the loop's thread; the same promise as post().
    bool post_errand(bridge::pending_result& errand) noexcept;
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

    // For its parts, on the loop's thread.
    loop_side& side() const noexcept { return *side_; }
    void loop_is_gone() noexcept { closed_.store(true, std::memory_order_release); }

private:
    class cancel_errand;

    explicit loop_inbox(bridge::completion_queue* queue) noexcept;

    bridge::completion_queue* const queue_;
    const std::uint32_t process_;  // of fork
    loop_side* side_ = nullptr;    // bound to the queue, so that no other loop gets it while there may be posts
    std::atomic<bool> closed_{false};
};

void register_loop_inbox(pybind11::module_& http);

}  // namespace headrace::bindings
