// For batchers: what a graph must know of an item that one of its units submits.
//
//   auto hold = unit_hold::begin();        // where the call is made: empty outside of units
//   item.held = bool(hold);                // it waits for the graph to become quiescent
//   ... engine.submit(item) ...            // now, or at the end of the loop's tick
//   hold.entered(batcher_as_flushable);    // after that
//   ... delivery of the item ...
//   hold.delivered();                      // before anybody is told of the result
//
// From begin() to entered() the unit counts as active: its item is on the way to the batch. Between entered() and delivered()
// the graph knows that it can send the batch. With the last of its items delivered the unit counts as active again, so that a
// batch whose items return together does not become several at the next level.
// Threads:  begin() with the GIL, in the unit; the rest in any thread, without.
// Lifetime: keeps the unit. Every hold that is not empty must be delivered, also when its item was refused; entered() may be
//           left out then.
// Errors:   none.
#pragma once

#include <headrace/batch/graph_core.hpp>
#include <memory>

namespace headrace::bindings {

class unit_hold {
public:
    unit_hold() noexcept = default;
    static unit_hold begin() noexcept;
    explicit operator bool() const noexcept { return static_cast<bool>(unit_); }

    void entered(const std::shared_ptr<batch::flushable>& batcher) noexcept;
    void delivered() noexcept;

private:
    batch::node_ref unit_;
    bool on_the_way_ = false;
};

}  // namespace headrace::bindings
