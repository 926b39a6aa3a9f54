// The coroutine of a Task that runs jobs, one after another, each in a context of its own.
//
// Between jobs it waits for itself: it has the surface of a future, the Task registers its wake-up with it, and whoever
// has the next job calls that. It waits only when nobody else holds the Task: a cancel that is meant for a job that has
// ended must never reach another one.
// Threads:  with the GIL, on the loop's thread.
// Lifetime: the Task holds it, the loop's port the Task; an idle one also the loop_side.
// Errors:   what a job's coroutine raises goes to the job; a cancel also ends the Task, as do KeyboardInterrupt and SystemExit.
#pragma once

#include "loop_inbox.hpp"

namespace headrace::bindings {

struct loop_worker {
    PyObject_HEAD PyObject* inner;  // the steps of the job's coroutine
    PyObject* context;              // of the job
    PyObject* wake_up;              // of the Task, while idle
    PyObject* wake_context;
    PyObject* loop;
    PyObject* task;  // the loop's port holds it; null before and after
    loop_job* job;   // counted
    loop_side* idle_in;
    std::shared_ptr<loop_inbox> inbox;  // while there is a job
    Py_ssize_t task_references;         // when the job began
    bool blocking;                      // the protocol of Task
    bool cancelled;                     // while idle

    /// A new Task with this job, which is kept. -1 with an error set.
    static int make_for(loop_job& job, loop_side& side, std::shared_ptr<loop_inbox> inbox);
    /// Steps the idle Task. -1: KeyboardInterrupt or SystemExit.
    int wake(bool nested);
    void take(loop_job& j, std::shared_ptr<loop_inbox> box) noexcept;
    /// Idle: the Task ends at its next step.
    void end() noexcept;
};

/// What an inbox owns on its loop's side; ends there, with the GIL.
class loop_side final : public bridge::pending_result {
public:
    loop_side(std::weak_ptr<loop_inbox> inbox, PyObject* of_loop, PyObject* first_context) noexcept
        : pending_result(destruction::with_gil, role::errand),
          loop(of_loop),
          context(first_context),
          inbox_(std::move(inbox)) {}
    PyObject* to_python() override { return nullptr; }
    int run(bool nested) override;       // the inbox has ended
    void on_cancel() noexcept override;  // the loop has
    void forget(loop_worker* w) noexcept;

    PyObject* const loop;     // borrowed: it outlives its port
    PyObject* const context;  // what the contexts of jobs are copies of
    std::vector<loop_worker*> idle;
    static constexpr std::size_t max_idle = 256;

private:
    ~loop_side() override;
    const std::weak_ptr<loop_inbox> inbox_;
};

bool register_loop_worker();

}  // namespace headrace::bindings
