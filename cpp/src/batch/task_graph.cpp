#include <algorithm>
#include <headrace/batch/task_graph.hpp>

namespace headrace::batch {

unit<> graph_port::delay(ns duration, std::span<const node_ref> after) {
    auto* node = new value_node<void>;
    node->time = duration;
    add(*node, after);
    return unit<>::adopt(node);
}

void graph_port::add(graph_node& node, unit_options& options) {
    node.time = options.delay;
    node.priority_ = std::min<std::uint8_t>(options.priority, graph_node::priorities - 1);
    if (!options.name.empty()) node.name_ = std::make_unique<std::string>(std::move(options.name));
    add(node, options.after);
}

// The reference that the node was made with is the handle's; the graph takes one of its own.
void graph_port::add(graph_node& node, std::span<const node_ref> after) {
    if (!core_->admit()) [[unlikely]]
        return core_->refuse(node, core_->why_not());
    if (!core_->prepare(node, after)) [[unlikely]] {
        core_->unadmit();
        return core_->refuse(node, core_->foreign());
    }
    node.retain_unshared();
    if (bulk_ == nullptr) return core_->post(node);
    node.next_event = std::exchange(bulk_->newest, &node);
    if (bulk_->oldest == nullptr) bulk_->oldest = &node;
    if (++bulk_->size < bulk_list::most) return;
    core_->hand_over(*bulk_->oldest, *bulk_->newest);
    *bulk_ = {};
}

void graph_bulk::publish() noexcept {
    if (list_.newest != nullptr) core().post(*list_.oldest, *list_.newest);
    list_ = {};
}

task_graph::task_graph(task_graph_options options, std::shared_ptr<exec::thread_pool> pool,
                       std::shared_ptr<net::runtime> runtime)
    : task_graph(std::make_shared<graph_core>(std::move(options), std::move(pool), std::move(runtime))) {}

task_graph::task_graph(std::shared_ptr<graph_core> core) : graph_port(*core), owned_(std::move(core)) {}

task_graph::~task_graph() {
    if (owned_->forked()) return;
    shutdown(stop_mode::cancel);
    owned_->retire();
}

failure task_graph::depend(const node_ref& dependant, const node_ref& dependency) {
    return core().depend(*dependant.get(), *dependency.get());
}
bool task_graph::cancel(const node_ref& unit) {
    return core().cancel(*unit.get());
}
bool task_graph::wait(ns timeout) {
    return core().wait_idle(timeout);
}
bool task_graph::shutdown(stop_mode mode, ns timeout) {
    core().close(mode);
    return core().wait_idle(timeout);
}

}  // namespace headrace::batch
