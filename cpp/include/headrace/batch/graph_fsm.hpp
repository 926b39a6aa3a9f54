// What a task graph decides: which unit may start, what a failure or a cancel takes along, and what would be a cycle.
//
// Pure: time is a parameter, no thread, no clock, no call to user code. What the shell must do comes out of effects().
//
// A unit starts when all its dependencies are done and then its delay has passed. When a dependency fails or is
// cancelled, the unit does not start: it fails (is cancelled) with the same cause. A body that waits for a unit while it
// runs is resumed when that one is decided, in whichever way.
//
// cancel(u) decides u and all its dependants as cancelled (what they needed will not come), and then every dependency that
// nothing else waits for any more: one that had dependants of which none is undecided, repeatedly. A dependency that some
// other undecided unit needs goes on. Holding a reference to a unit is not waiting for it.
//
// The graph is quiescent when no unit is ready or on a worker: all that are undecided wait for dependencies, for timers, for
// other units or for something outside. Timers do not count as running: see task_graph.hpp. What an event loop runs is the
// shell's to count.
// Threads:  one at a time; the shell's lock.
// Lifetime: nodes are counted; effects hand on the graph's references.
// Errors:   depend() and a suspension refuse a cycle with errc::invalid_argument and the cycle's names.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <headrace/batch/graph_node.hpp>
#include <vector>

namespace headrace::batch {

struct graph_counts {
    std::size_t undecided = 0;
    std::size_t waiting = 0;    ///< for dependencies
    std::size_t sleeping = 0;   ///< delays, and bodies in a sleep
    std::size_t ready = 0;      ///< for a worker
    std::size_t running = 0;    ///< bodies that have a worker or are with an event loop
    std::size_t suspended = 0;  ///< bodies that wait for units, batches or something outside
    std::uint64_t added = 0, done = 0, failed = 0, cancelled = 0;
};

/// What the shell does after it let go of its lock.
struct graph_effects {
    std::vector<graph_node*> decided;    ///< tell, then release
    std::vector<graph_node*> released;   ///< references to drop
    std::vector<graph_node*> remote;     ///< start_remote()
    std::vector<graph_node*> abandoned;  ///< on_abandoned(), then release
    std::vector<graph_node*> awaited;    ///< on_awaited(), still under the lock
    bool notify = false;                 ///< somebody may be blocked on what was decided

    bool empty() const noexcept {
        return decided.empty() && released.empty() && remote.empty() && abandoned.empty() && awaited.empty() && !notify;
    }
    void clear() noexcept;
    /// Moves what is here to `empty`, whose memory is used from now on.
    void move_to(graph_effects& empty) noexcept;
};

class graph_fsm {
public:
    /// `max_running`: bodies that may run at the same time, 0: no limit. `history`: decided units kept for each_node().
    graph_fsm(std::size_t max_running, std::size_t history) : max_running_(max_running), max_history_(history) {}
    ~graph_fsm();
    graph_fsm(const graph_fsm&) = delete;
    graph_fsm& operator=(const graph_fsm&) = delete;

    /// Takes the node, with the reference and the edges to dependencies that it came with.
    void add(graph_node& node, ns now);
    /// One more dependency for a unit that still waits; refused for one that does not, and when it would close a cycle.
    failure depend(graph_node& dependant, graph_node& dependency);
    /// The next unit for a worker; null when none is ready or the limit is reached.
    graph_node* take() noexcept;
    bool can_take() const noexcept { return ready_bits_ != 0 && room(); }
    std::size_t ready() const noexcept { return ready_; }

    /// The body came to its end; its event carries an error or none.
    void end(graph_node& node, ns now);
    /// The body waits for *wait_.
    void suspend(graph_node& node, ns now);
    /// A body that goes on running on its event loop, or blocks its worker, waits for `other` from now on. Refuses a cycle.
    failure await_while_running(graph_node& waiter, graph_node& other) { return wait_for(waiter, other); }
    /// A body blocks its worker (1), or has blocked it (-1): until then it takes no place of those that may run.
    void block(int n, ns now);
    /// What a body waits for outside has come. It may come before the suspension, once.
    void wake(graph_node& node);
    /// The timers that are due.
    void expire(ns now);
    ns next_due() const noexcept { return timers_.next_due(); }

    /// False when the unit was decided already.
    bool cancel(graph_node& node, ns now);
    void cancel_all(ns now);

    bool quiescent() const noexcept { return active_ == 0; }
    std::size_t active() const noexcept { return active_; }
    /// Nothing undecided, and no body of a cancelled unit alive.
    bool idle() const noexcept { return counts_.undecided == 0 && bodies_ == 0; }
    graph_counts counts() const noexcept;
    graph_effects& effects() noexcept { return effects_; }

    /// Undecided units in the order of adding, after those of the history.
    template <class F>
    void each_node(F f) const {
        for (const graph_node* n : history_) f(*n);
        for (const graph_node* n : all_) {
            if (n != nullptr) f(*n);
        }
    }
    /// The dependencies of a node that are still known: of undecided nodes and of those in the history.
    template <class F>
    static void each_dependency(const graph_node& node, F f) {
        for (const graph_edge* e = node.in_; e != nullptr; e = e->next_in) f(*e->dependency);
    }
    static unit_phase phase(const graph_node& node) noexcept { return node.phase_; }

private:
    bool room() const noexcept { return max_running_ == 0 || running_ < max_running_; }
    void start(graph_node& node, ns now);
    void make_ready(graph_node& node);
    void unqueue(graph_node& node) noexcept;
    void start_remotes();
    void decide(graph_node& node, unit_state state, graph_node* cause);
    void unwind(graph_node& node);
    void enlist(graph_node& node);
    void delist(graph_node& node) noexcept;
    void settle(ns now);
    void follow(graph_edge& edge, const graph_node& from, ns now);
    void link(graph_edge& edge) noexcept;
    void forget_wait(graph_node& waiter, graph_edge& edge);
    void drop_dependencies(graph_node& node);
    void remember(graph_node& node);
    void cancel_unneeded(graph_node* cause, ns now);
    failure wait_for(graph_node& waiter, graph_node& other);
    static failure refuse_cycle(const graph_node& waiter, const graph_node& other);

    timer_queue timers_;
    std::array<node_list, graph_node::priorities> ready_lists_;
    std::array<node_list, graph_node::priorities> remote_lists_;
    std::uint32_t ready_bits_ = 0, remote_bits_ = 0;  // bit p: list p is not empty
    std::vector<graph_node*> work_;                   // decided, dependants not yet told
    std::vector<graph_node*> perhaps_unneeded_;       // dependencies of what the cancel under way decided
    bool cancelling_ = false;
    std::vector<graph_node*> all_;  // undecided, in the order of adding, with gaps
    std::deque<graph_node*> history_;
    graph_effects effects_;
    graph_counts counts_;
    std::size_t max_running_, max_history_;
    std::size_t active_ = 0;   // ready or on a worker
    std::size_t ready_ = 0;    // in ready_lists_, for a worker
    std::size_t running_ = 0;  // on a worker, or with an event loop from its start to its end
    std::size_t bodies_ = 0;   // begun and not over
    std::uint32_t next_id_ = 1;
};

}  // namespace headrace::batch
