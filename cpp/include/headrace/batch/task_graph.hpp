// A task graph: units of work that depend on each other, on a thread pool. It grows while it runs.
//
//     task_graph g;
//     unit<user>  who   = g.submit(load_user, 7);
//     unit<page>  page  = g.submit(render, who);                       // a unit as argument: a dependency, and its value
//     unit<>      pause = g.delay(10ms, std::array<node_ref, 1>{page});  // nothing but a timer
//     page.wait();
//
// A unit that waits holds no thread, whether for dependencies, a delay, or in co_await (unit_task.hpp). Rules for failures,
// cancels and cycles: graph_fsm.hpp. Quiescence: when no body is ready or running, nothing of the graph can join a batch any
// more, and what its units hold in batchers is sent at once; a sleeper does not delay that (it might join, but the batch
// would have to wait for it), nor does a unit that waits for something outside.
// Threads:  every function from any thread. wait() blocks: never call it in a body of the same graph.
// Lifetime: destroy it on none of its own bodies. Handles stay valid and keep values; the destructor cancels what is
//           undecided and waits for the bodies that run.
// Errors:   submit() never fails: it answers a unit that failed already (closed, queue_full, a dependency in another
//           graph). Others answer a failure.
// Stop:     shutdown(); a drained graph refuses new units, also from its own bodies.
#pragma once

#include <headrace/batch/unit_context.hpp>

namespace headrace::batch {

class task_graph : public graph_port {
public:
    explicit task_graph(task_graph_options options = {},
                        std::shared_ptr<exec::thread_pool> pool = exec::thread_pool::shared(),
                        std::shared_ptr<net::runtime> runtime = net::runtime::shared());
    ~task_graph();
    task_graph(const task_graph&) = delete;
    task_graph& operator=(const task_graph&) = delete;

    /// `dependant`, which must not have started, runs after `dependency` too. Refuses what would close a cycle, by name.
    failure depend(const node_ref& dependant, const node_ref& dependency);
    /// Cancels the unit, its dependants, and the dependencies that nothing else needs (graph_fsm.hpp). False when it was
    /// decided already. A body that runs is not interrupted; its result is dropped.
    bool cancel(const node_ref& unit);
    /// Until no unit is undecided and no body alive; false when `timeout` passed first.
    bool wait(ns timeout = ns::max());
    /// True once nothing is undecided and no body alive.
    bool shutdown(stop_mode mode, ns timeout = ns::max());

    graph_counts counts() const { return core().counts(); }
    graph_core::activity stats() const { return core().stats(); }

private:
    explicit task_graph(std::shared_ptr<graph_core> core);
    std::shared_ptr<graph_core> owned_;
};

/// Adds many units: they enter the graph some hundreds at a time, which costs less than one at a time. While it lives, the
/// graph does not count as quiescent, so that what its units ask of a batcher waits for those that are still to come.
/// Threads: one.   Lifetime: within its graph's.
class graph_bulk : public graph_port {
public:
    explicit graph_bulk(task_graph& graph) : graph_port(graph.core(), &list_), growing_(graph.core()) {}
    graph_bulk(const graph_bulk&) = delete;
    graph_bulk& operator=(const graph_bulk&) = delete;
    ~graph_bulk() { publish(); }
    /// What was not added yet.
    void publish() noexcept;

private:
    const graph_core::growing growing_;
    bulk_list list_;
};

}  // namespace headrace::batch
