// Worker threads: for what blocks, and for what runs user code.
//
// One queue, first in first out. Threads start when they are needed and then stay. A worker that finds nothing looks on for
// `spin`, then parks; the one that parked last wakes first (its caches are warm). A submit wakes one worker at most, and
// none while another is looking for work: a worker that takes a task and sees more wakes the next one.
// Threads:  every function from any thread. submit() never waits unless the queue is full and its policy is `wait`; no I/O
//           thread may use a pool of that policy. A worker of the pool never waits for room: it gets queue_full.
// Lifetime: tasks are borrowed, see exec/task.hpp. Whoever drops the pool stops it (`cancel`) and waits for what runs, a
//           worker of the pool excepted.
// Blocking: a task that waits for other tasks of its pool declares so (blocking_scope); as long as it waits, another thread
//           may run in its place, so that tasks which wait for each other's work do not starve it.
// Errors:   submit() answers invalid_argument, queue_full, timed_out, closed, forked; then the task was not taken.
// Stop:     shutdown(). After fork() the child's pool takes nothing and must be made anew; shared() does so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/base/policies.hpp>
#include <headrace/exec/task.hpp>
#include <memory>
#include <string>

namespace headrace::exec {

struct thread_pool_options {
    std::size_t threads = 0;               ///< at most; 0: one per usable core
    std::size_t max_queue_size = 100'000;  ///< tasks that may wait; 0 is refused
    full_policy on_full = full_policy::reject;
    ns spin{-1};                            ///< how long an idle worker looks on; < 0: 5 us, none when threads >= cores
    std::string name = "worker";            ///< of the threads, with a number; the first 12 characters count
    std::function<void()> on_thread_start;  ///< on the new thread, before its first task; must not throw
    std::function<void()> on_thread_stop;   ///< on the thread, after its last task; must not throw
};

class thread_pool {
public:
    static constexpr ns no_deadline = ns::max();

    /// Throws std::invalid_argument for what check() names.
    explicit thread_pool(thread_pool_options options = {});
    ~thread_pool();
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    static failure check(const thread_pool_options& options);

    /// For tasks that mostly wait: min(32, usable cores + 4) threads. Made on first use; lives while it is borrowed or
    /// until stop_shared().
    static std::shared_ptr<thread_pool> shared();
    /// Cancels the shared pool, if there is one, and waits; called before the interpreter goes. False when `timeout` passed.
    static bool stop_shared(ns timeout = ns::max());

    /// `deadline` is monotonic: a task that has not begun by then is refused, within 1 ms or when its turn comes.
    failure submit(task& t, ns deadline = no_deadline);

    /// A chain linked by `next`, at one wake. What was not taken comes back in `rest` (null: all were taken), with the
    /// reason as the answer.
    failure submit_chain(task* first, task*& rest, ns deadline = no_deadline);

    /// True: it was waiting, and neither run() nor refused() will be called. The task must be alive.
    bool cancel(task& t);

    /// Refuses new tasks; with `drain` the waiting ones run, with `cancel` they are refused. True once all workers have
    /// ended; false when `timeout` passed first, or at once on a worker of this pool. May be called again.
    bool shutdown(stop_mode mode, ns timeout = ns::max());

    bool closed() const;
    /// True when tasks wait for a worker: a task that could go on for long should end and submit itself again. Costs a load.
    bool tasks_wait() const noexcept;
    /// True on a worker of this pool.
    bool running_here() const noexcept;

    /// True on a worker of any pool.
    static bool on_worker() noexcept;

    /// While it lives, this thread waits for something that needs other workers. No effect on a thread that is no worker.
    class blocking_scope;

    struct counters {
        std::uint64_t submitted = 0;
        std::uint64_t run = 0;        ///< begun
        std::uint64_t cancelled = 0;  ///< by cancel() or shutdown()
        std::uint64_t timed_out = 0;
        std::uint64_t dropped = 0;  ///< for newer ones
        std::uint64_t wakes = 0;    ///< of parked workers
        std::size_t waiting = 0;    ///< now, like the next ones
        std::size_t running = 0;
        std::size_t threads = 0;
        std::size_t parked = 0;
        std::size_t blocked = 0;
    };
    counters stats() const;

private:
    class core;
    static void block(int n) noexcept;
    std::shared_ptr<core> core_;
};

class thread_pool::blocking_scope {
public:
    blocking_scope() noexcept { block(1); }
    ~blocking_scope() { block(-1); }
    blocking_scope(const blocking_scope&) = delete;
    blocking_scope& operator=(const blocking_scope&) = delete;
};

/// Cores this process may use.
std::size_t usable_cores() noexcept;

}  // namespace headrace::exec
