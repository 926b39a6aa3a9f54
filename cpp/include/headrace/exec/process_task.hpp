// A call for a worker process: an intrusive node, so that queueing it allocates nothing.
//
// Threads:  answered() and failed() on one thread, once in total, without any lock of the pool; settled() and the waiting
//           of process_pool::wait() from any thread.
// Lifetime: the pool borrows the task from a successful submit until it has called one of the two, or cancel() answered
//           true; it does not touch the task afterwards, so that both may delete it.
// Errors:   neither throws.
#pragma once

#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/exec/process_message.hpp>
#include <headrace/exec/settled_word.hpp>
#include <memory>

namespace headrace::exec {

/// What is sent to a worker once and then called by its number.
struct process_function {
    std::uint64_t id = 0;  ///< not 0; of the pool's user, never used for another
    message_body body;
};

class process_task {
public:
    process_task() = default;
    process_task(const process_task&) = delete;
    process_task& operator=(const process_task&) = delete;
    virtual ~process_task() = default;

    /// The worker's answer; `raised` when it is what the call raised.
    virtual void answered(bool raised, message_body&& body) noexcept = 0;
    /// Instead: timed_out (waiting, or running: then its worker was stopped), worker_lost (its worker ended), queue_full
    /// (dropped for a newer one), cancelled (the pool stopped).
    virtual void failed(const failure& why) noexcept = 0;

    // Set before submit.
    message_body request;
    std::shared_ptr<const process_function> function;  ///< null: the request says it all
    ns deadline = ns::max();                           ///< monotonic
    /// Somebody waits for it who does not call wait(): the pool's own thread sees to it that it gets on at once.
    bool eager = false;

    /// To be called at the end of answered() and failed() by those who let others wait().
    void settle() noexcept { word_.settle(); }
    bool settled() const noexcept { return word_.settled(); }

private:
    friend class process_pool;
    friend class process_pool_fsm;
    friend class process_queue;

    settled_word word_;
    std::uint64_t id_ = 0;
    process_task* next_ = nullptr;
    process_task* previous_ = nullptr;
    bool queued_ = false;
    bool counted_eager_ = false;
    bool over_ = false;  // the pool is about to call answered() or failed(), or has
};

}  // namespace headrace::exec
