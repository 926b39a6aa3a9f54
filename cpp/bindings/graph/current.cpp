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

void unit_hold::entered(const std::shared_ptr<batch::flushable>& batcher) noexcept {
    if (!unit_ || !std::exchange(on_the_way_, false)) return;
    batch::graph_core& core = static_cast<python_unit*>(unit_.get())->core();
    core.hold(batcher);
    core.add_activity(-1);
}

void unit_hold::delivered() noexcept {
    if (!unit_) return;
    const batch::node_ref held = std::exchange(unit_, {});
    auto* const u = static_cast<python_unit*>(held.get());
    if (std::exchange(on_the_way_, false)) u->core().add_activity(-1);
    u->hold_ends();
}

}  // namespace headrace::bindings
