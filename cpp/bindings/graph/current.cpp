#include "current.hpp"

#include "unit.hpp"

namespace headrace::bindings {

unit_hold unit_hold::begin() noexcept {
    unit_hold h;
    if (python_unit* u = current_unit()) {
        h.unit_ = batch::node_ref(u);
        h.on_the_way_ = true;
        u->hold_begins();
        u->core().add_activity(1);
    }
    return h;
}

void unit_hold::delivered() noexcept {
    if (!unit_) return;
    const batch::node_ref held = std::exchange(unit_, {});
    auto* const u = static_cast<python_unit*>(held.get());
    if (std::exchange(on_the_way_, false)) u->core().add_activity(-1);
    u->hold_ends();
}

void holds_on_the_way::take(unit_hold& hold) {
    if (!std::exchange(hold.on_the_way_, false)) return;
    batch::graph_core& core = static_cast<python_unit*>(hold.unit_.get())->core();
    for (auto& known : graphs_) {
        if (known.graph.get() != &core) continue;
        ++known.items;
        return;
    }
    graphs_.push_back({core.shared_from_this(), 1});
}

void holds_on_the_way::entered(const std::shared_ptr<batch::flushable>& batcher) noexcept {
    for (const auto& [graph, items] : graphs_) {
        if (batcher != nullptr) graph->hold(batcher);
        graph->add_activity(-items);
    }
    graphs_.clear();
}

}  // namespace headrace::bindings
