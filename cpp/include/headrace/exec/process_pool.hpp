// Calls in worker processes, which are fresh programs: safe from notebooks, after threads were started, and from crashes.
//
// A submit writes to the worker itself when one may have the call, so that no thread wakes in between. Answers are read by
// a thread that waits for one (wait()); when none does, by the pool's own thread, which also starts, stops and reaps
// workers and keeps deadlines. Decisions are in process_pool_fsm; what a worker must speak is in process_worker.
// Threads:  every function from any thread; submit() never waits. One thread per pool, which sleeps when nothing is due.
// Lifetime: tasks are borrowed, see exec/process_task.hpp. Whoever drops the pool kills its workers and waits for them; not
//           from within answered() or failed().
// Errors:   submit() answers why it did not take the call: invalid_argument, queue_full, timed_out, closed, worker_lost (no
//           worker can be started), forked.
// Stop:     close(), kill(). Workers die with the process that made the pool. After fork() the child's pool takes nothing.
#pragma once

#include <sys/types.h>

#include <headrace/exec/process_options.hpp>
#include <headrace/exec/process_task.hpp>
#include <memory>
#include <vector>

namespace headrace::exec {

class process_pool {
public:
    /// Throws std::invalid_argument for what process_options::check() names.
    explicit process_pool(process_options options);
    ~process_pool();
    process_pool(const process_pool&) = delete;
    process_pool& operator=(const process_pool&) = delete;

    failure submit(process_task& t);
    /// True: it has not begun, and will hear nothing more. The task must be alive.
    bool cancel(process_task& t);
    /// Helps until the task is settled; false after `timeout`. For tasks that settle().
    bool wait(process_task& t, ns timeout);
    /// The task is `eager` from now on.
    void hasten(process_task& t);
    /// True once there was room in the queue; nothing is reserved.
    bool wait_room(ns timeout);

    /// Refuses new calls; with `drain` the waiting ones run, with `cancel` they fail. What runs goes on.
    void close(stop_mode mode);
    /// Refuses new calls, fails all, kills all workers.
    void kill();
    /// True once all workers have ended after close() or kill().
    bool wait_closed(ns timeout);
    bool closed() const;
    bool forked() const noexcept;

    process_counters stats() const;
    /// Of workers that are starting, ready or ending.
    std::vector<pid_t> pids() const;

private:
    class core;
    std::unique_ptr<core> core_;
};

}  // namespace headrace::exec
