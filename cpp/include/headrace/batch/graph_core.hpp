// The shell around graph_fsm: workers, one alarm, and the way in for what happens to units.
//
// Users take task_graph.hpp. This is for what implements units: typed ones, coroutines, those of the bindings.
// What happens (a new unit, the end of a body, a wake) is pushed to a lock-free inbox; whoever can take the lock without
// waiting works it off, the others leave it to the holder. So post() never waits, and what follows from a burst of events
// is done in one go: one look at the clock, one wake of the pool, one setting of the alarm.
// Threads:  every function from any thread.
// Lifetime: held by the task_graph, by runners that are queued, and by whoever asked for shared_from_this().
// Errors:   as failure; nothing throws but bad_alloc.
// Stop:     close() and then wait().
#pragma once

#include <atomic>
#include <functional>
#include <headrace/base/mutex.hpp>
#include <headrace/base/policies.hpp>
#include <headrace/batch/graph_fsm.hpp>
#include <headrace/exec/thread_pool.hpp>
#include <headrace/net/alarm.hpp>
#include <memory>
#include <span>
#include <vector>

namespace headrace::batch {

/// What a worker must have while it runs bodies of a graph, for example the interpreter's lock. A worker keeps it from one
/// body to the next, and lets go of it before it waits for anything.
class body_scope {
public:
    virtual ~body_scope() = default;
    virtual void enter() noexcept = 0;
    virtual void leave() noexcept = 0;
};

struct task_graph_options {
    std::size_t concurrency = 0;         ///< bodies that may run at the same time; 0: as many as the pool has workers
    std::size_t eager_workers = 0;       ///< started as soon as units are ready; more only while none of them comes
                                         ///< back for the next unit. 0: one per usable core
    std::size_t max_units = 10'000'000;  ///< undecided at the same time; one more fails with queue_full. 0 is refused
    std::size_t history = 0;             ///< decided units that each_node() still shows
    ns hold_limit{2'000'000};            ///< the longest that held batch items wait for the graph to become quiescent
    std::string name = "graph";          ///< for messages
    std::shared_ptr<body_scope> scope;   ///< null: none
};

/// A batcher as the graph sees it: something that can be told to send what waits. Graphs keep it; it must do nothing once
/// its batcher is gone.
class flushable {
public:
    virtual ~flushable() = default;
    /// `quiescent`: nothing that could join is running; else the hold limit has passed. Called without a lock.
    virtual void flush_held(bool quiescent) noexcept = 0;
};

class graph_core : public std::enable_shared_from_this<graph_core> {
public:
    graph_core(task_graph_options options, std::shared_ptr<exec::thread_pool> pool,
               std::shared_ptr<net::runtime> runtime);
    ~graph_core();
    graph_core(const graph_core&) = delete;
    graph_core& operator=(const graph_core&) = delete;

    /// Counts a unit in; false: it may not come, and why_not() says why.
    bool admit() noexcept {
        if (closed() || forked()) [[unlikely]]
            return false;
        const auto before = admitted_.fetch_add(1, std::memory_order_relaxed);
        const auto decided = decided_.load(std::memory_order_relaxed);
        // Units that were admitted after this one may be decided already: then `decided` is the larger.
        if (decided >= before || before - decided < options_.max_units) [[likely]]
            return true;
        unadmit();
        return false;
    }
    failure why_not() const;
    void unadmit() noexcept { admitted_.fetch_sub(1, std::memory_order_relaxed); }
    /// Fills in the node's add event, with edges to `dependencies`. The node is not in the graph before its event is posted.
    /// False: a dependency is none of this graph's; the edges that were made stay with the node.
    bool prepare(graph_node& node, std::span<const node_ref> dependencies);
    failure foreign() const;  ///< why prepare() refused
    /// Decides a node that was never added.
    void refuse(graph_node& node, failure why);
    /// A chain of events, linked by `next_event` from the newest to the oldest. Never waits.
    void post(graph_event& oldest, graph_event& newest) noexcept;
    void post(graph_event& event) noexcept { post(event, event); }
    /// Leaves the work to the I/O thread, where timers wake: for a thread that has many more to post.
    void hand_over(graph_event& oldest, graph_event& newest) noexcept;
    failure depend(graph_node& dependant, graph_node& dependency) HEADRACE_EXCLUDES(m_);
    bool cancel(graph_node& node) HEADRACE_EXCLUDES(m_);
    /// The same without an answer, and without ever waiting.
    void post_cancel(graph_node& node);
    /// A body that runs on its event loop, or blocks its worker, waits for `other`: refuses a cycle, and calls the waiter's
    /// on_awaited() when `other` is decided.
    failure await_unit(graph_node& waiter, graph_node& other) HEADRACE_EXCLUDES(m_);
    /// False when `timeout` passed first.
    bool wait(graph_node& node, ns timeout) HEADRACE_EXCLUDES(m_);
    /// Until nothing is undecided and no body alive.
    bool wait_idle(ns timeout) HEADRACE_EXCLUDES(m_);
    /// Calls `f` once, from any thread and without a lock, when nothing is undecided and no body alive; perhaps at once.
    void when_idle(std::function<void()> f) HEADRACE_EXCLUDES(m_, wait_m_);
    void close(stop_mode mode) HEADRACE_EXCLUDES(m_);
    /// After close() and wait_idle(): when it returns, the alarm is silent and every call of post() has ended.
    void retire();

    /// An item of a unit of this graph waits in `batcher` for a flush: called after it was submitted and before the unit
    /// suspends. Never waits.
    void hold(const std::shared_ptr<flushable>& batcher);
    /// What runs outside of the graph's workers and could still join a batch: +1 when it begins, -1 when it ends; a body that
    /// blocks its worker is -1 while it does. The graph is quiescent when this and its own activity add up to nothing.
    void add_activity(int n) noexcept {
        outside_activity_.fetch_add(n, std::memory_order_acq_rel);
        if (n < 0) look();
    }
    /// +1 while it lives: for whoever adds units one by one that could join a batch.
    class growing;

    graph_counts counts() HEADRACE_EXCLUDES(m_);
    struct activity {
        std::uint64_t flushes = 0;        ///< because the graph was quiescent
        std::uint64_t limit_flushes = 0;  ///< because of hold_limit
        std::size_t runners = 0;          ///< now on the pool
    };
    activity stats() HEADRACE_EXCLUDES(m_);
    /// Calls f(const graph_node&) with the lock held: it must be short and call nothing of the graph.
    template <class F>
    void each_node(F f) HEADRACE_EXCLUDES(m_);

    const task_graph_options& options() const noexcept { return options_; }
    exec::thread_pool& pool() noexcept { return *pool_; }
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
    bool forked() const noexcept;
    /// A body of this graph blocks its worker (1), or has blocked it (-1): meanwhile another unit may run in its place.
    void block(int n) HEADRACE_EXCLUDES(m_);
    /// True on a thread that runs a body of this graph.
    bool running_here() const noexcept;

    /// For remote bodies, which do not come back to a runner: posts the end.
    static void post_end(graph_node& node) noexcept;
    static void wake(wake_event& event, graph_node& node) noexcept;

private:
    struct runner;
    struct turn;  // one stay under the lock

    bool push(graph_event& oldest, graph_event& newest) noexcept;
    void absorb() HEADRACE_REQUIRES(m_);
    void work(runner& r);
    void start_runners(turn& t) HEADRACE_REQUIRES(m_);
    void enter() HEADRACE_ANNOTATE(acquire_capability(m_));
    void enter_from_body(bool& in_scope) HEADRACE_ANNOTATE(acquire_capability(m_));
    void leave(turn& t) HEADRACE_ANNOTATE(release_capability(m_));
    void leave() HEADRACE_ANNOTATE(release_capability(m_));
    void carry_out(turn& t);
    void notify();
    bool wait_until(ns timeout, const graph_node* node);
    bool all_told() const noexcept { return idle_.load(std::memory_order_acquire) && telling_.load() == 0; }
    void submit(runner* chain);
    void kick() noexcept;
    void look() noexcept;
    void watch_holders(turn& t) HEADRACE_REQUIRES(m_);
    ns ring(ns now);
    void pool_refused(runner& r, const failure& why);

    const task_graph_options options_;
    const std::shared_ptr<exec::thread_pool> pool_;
    const std::size_t limit_;  // of runners
    const std::size_t eager_;
    const std::uint32_t generation_;
    std::atomic<graph_event*> inbox_{nullptr};
    std::atomic<std::uint32_t> posting_{0};
    std::atomic<std::uint64_t> admitted_{0};
    std::atomic<std::uint64_t> decided_{0};
    std::atomic<bool> closed_{false};

    // Waiters have a lock of their own: a wait on m_ would let go of it without looking at the inbox.
    mutex wait_m_;
    condition changed_;
    std::vector<std::function<void()>> at_idle_ HEADRACE_GUARDED_BY(wait_m_);
    std::atomic<bool> idle_{true};
    std::atomic<std::size_t> telling_{0};  // turns whose decided units are being told

    mutex m_;
    graph_fsm fsm_ HEADRACE_GUARDED_BY(m_);
    std::vector<std::unique_ptr<runner>> runners_ HEADRACE_GUARDED_BY(m_);
    std::vector<runner*> spare_ HEADRACE_GUARDED_BY(m_);
    bool cancel_new_ HEADRACE_GUARDED_BY(m_) = false;
    std::size_t busy_ HEADRACE_GUARDED_BY(m_) = 0;     // runners that the pool has
    std::size_t blocked_ HEADRACE_GUARDED_BY(m_) = 0;  // of these
    std::uint64_t takes_ HEADRACE_GUARDED_BY(m_) = 0, takes_seen_ HEADRACE_GUARDED_BY(m_) = 0;
    ns stall_check_ HEADRACE_GUARDED_BY(m_) = ns::max();
    activity activity_ HEADRACE_GUARDED_BY(m_);

    std::atomic<std::uint32_t> entering_{0};  // runners that wait for the scope: others would wait for it too

    struct holder;
    std::atomic<holder*> holders_{nullptr};  // a list that only grows: one per batcher that units of this graph use
    std::atomic<std::int64_t> outside_activity_{0};
    std::atomic<bool> look_posted_{false};
    graph_event look_;
    ns hold_until_ HEADRACE_GUARDED_BY(m_) = ns::max();
    bool holding_ HEADRACE_GUARDED_BY(m_) = false;  // a look was asked for and nothing was flushed since
    std::unique_ptr<net::alarm> alarm_;
};

class graph_core::growing {
public:
    explicit growing(graph_core& core) noexcept : core_(&core) { core.add_activity(1); }
    growing(const growing&) = delete;
    growing& operator=(const growing&) = delete;
    ~growing() { core_->add_activity(-1); }

private:
    graph_core* core_;
};

template <class F>
void graph_core::each_node(F f) {
    enter();
    fsm_.each_node(f);
    leave();
}

}  // namespace headrace::batch
