// For batchers: what a graph must know of an item that one of its units submits.
//
//   item.hold = unit_hold::begin();        // where the call is made: empty outside of units
//   item.held = bool(item.hold);           // it waits for the graph to become quiescent
//   ...
//   holds_on_the_way holds;                // now, or at the end of the loop's tick
//   holds.take(item.hold);                 // for each item
//   engine.submit_chain(items);            // from here on they may be delivered, and be gone
//   holds.entered(batcher_as_flushable);
//   ... delivery of the item ...
//   item.hold.delivered();                 // before anybody is told of the result
//
// From begin() to entered() the unit counts as active: its item is on the way to the batch. Between entered() and delivered()
// the graph knows that it can send the batch. With the last of its items delivered the unit counts as active again, so that a
// batch whose items return together does not become several at the next level.
// Threads:  begin() with the GIL, in the unit; the rest in any thread, without, one at a time for each object.
// Lifetime: a hold keeps the unit, and ends as delivered when it is destroyed, also that of an item which never came to a batch.
// Errors:   none.
#pragma once

#include <headrace/batch/graph_core.hpp>
#include <memory>
#include <vector>

namespace headrace::bindings {

class unit_hold {
public:
    unit_hold() noexcept = default;
    unit_hold(unit_hold&&) noexcept = default;
    unit_hold& operator=(unit_hold&&) noexcept = default;
    ~unit_hold() { delivered(); }
    static unit_hold begin() noexcept;
    explicit operator bool() const noexcept { return static_cast<bool>(unit_); }
    void delivered() noexcept;

private:
    friend class holds_on_the_way;
    batch::node_ref unit_;
    bool on_the_way_ = false;
};

class holds_on_the_way {
public:
    holds_on_the_way() noexcept = default;
    holds_on_the_way(const holds_on_the_way&) = delete;
    holds_on_the_way& operator=(const holds_on_the_way&) = delete;
    ~holds_on_the_way() { entered(nullptr); }

    void take(unit_hold& hold);
    /// Null: they came to no batch.
    void entered(const std::shared_ptr<batch::flushable>& batcher) noexcept;

private:
    struct of_graph {
        std::shared_ptr<batch::graph_core> graph;
        int items;
    };
    std::vector<of_graph> graphs_;  // mostly none, or one
};

}  // namespace headrace::bindings
