// A unit of work for a thread pool: an intrusive node, so that queueing it allocates nothing.
//
// Threads:  run() and refused() on one thread, once in total.
// Lifetime: the pool borrows the task from a successful submit until run() or refused() has begun, or cancel() answered
//           true; it does not touch the task afterwards, so run() and refused() may delete it.
// Errors:   run() does not throw: what carries user code catches, and reports in its own way.
#pragma once

#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>

namespace headrace::exec {

class task_queue;

class task {
public:
    task() = default;
    task(const task&) = delete;
    task& operator=(const task&) = delete;
    virtual ~task() = default;

    virtual void run() noexcept = 0;
    /// Instead of run(): errc::timed_out (the deadline passed first), queue_full (dropped for a newer one), cancelled
    /// (the pool stopped).
    virtual void refused(const failure& why) noexcept = 0;

    task* next = nullptr;  ///< The rest of a chain for submit_chain(); the pool's own while the task is queued.

private:
    friend class task_queue;
    task* previous_ = nullptr;
    const task_queue* queue_ = nullptr;
    ns deadline_ = ns::max();
};

}  // namespace headrace::exec
