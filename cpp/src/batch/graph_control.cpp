// What users ask of a graph: cancel, wait, stop, count; and when it tells batchers to send.
#include "graph_turn.hpp"

namespace headrace::batch {

failure graph_core::depend(graph_node& dependant, graph_node& dependency) {
    if (dependant.core_ != this || dependency.core_ != this) {
        return foreign();
    }
    enter();
    failure bad = fsm_.depend(dependant, dependency);
    leave();
    return bad;
}

bool graph_core::cancel(graph_node& node) {
    if (node.core_ != this || node.decided()) return false;
    enter();
    const bool won = fsm_.cancel(node, monotonic_now());
    leave();
    return won;
}

void graph_core::post_cancel(graph_node& node) {
    auto* event = new cancel_event;
    event->kind = graph_event::what::cancel;
    event->node = &node;
    node.retain();
    post(*event);
}

failure graph_core::await_unit(graph_node& waiter, graph_node& other) {
    if (waiter.core_ != this || other.core_ != this || other.decided()) return {};
    enter();
    failure bad = fsm_.await_while_running(waiter, other);
    leave();
    return bad;
}

bool graph_core::wait(graph_node& node, ns timeout) {
    if (node.decided()) return true;
    enter();
    node.watched_.store(true, std::memory_order_relaxed);
    leave();
    return wait_until(timeout, &node);
}

bool graph_core::wait_idle(ns timeout) {
    enter();
    idle_.store(fsm_.idle(), std::memory_order_release);
    leave();
    return wait_until(timeout, nullptr);
}

void graph_core::when_idle(std::function<void()> f) {
    enter();
    idle_.store(fsm_.idle(), std::memory_order_release);
    leave();
    {
        lock_guard hold(wait_m_);
        if (!all_told()) return at_idle_.push_back(std::move(f));
    }
    f();
}

// Without a node: until the graph is idle.
bool graph_core::wait_until(ns timeout, const graph_node* node) {
    const ns now = monotonic_now();
    const ns until = timeout < ns::max() - now ? now + timeout : ns::max();
    lock_guard hold(wait_m_);
    for (;;) {
        if (node != nullptr ? node->decided() : all_told()) return true;
        const ns left = until - monotonic_now();
        if (left <= ns{0}) return false;
        changed_.wait_for(wait_m_, std::min<ns>(left, std::chrono::hours{1}));
    }
}

void graph_core::close(stop_mode mode) {
    closed_.store(true, std::memory_order_release);
    if (mode == stop_mode::drain) return;
    enter();
    cancel_new_ = true;
    fsm_.cancel_all(monotonic_now());
    idle_.store(fsm_.idle(), std::memory_order_release);
    leave();
}

graph_counts graph_core::counts() {
    enter();
    const graph_counts c = fsm_.counts();
    leave();
    return c;
}

graph_core::activity graph_core::stats() {
    enter();
    activity a = activity_;
    a.runners = busy_;
    leave();
    return a;
}

void graph_core::hold(const std::shared_ptr<flushable>& batcher) {
    holder* h = holders_.load(std::memory_order_acquire);
    while (h != nullptr && h->batcher != batcher) h = h->next;
    if (h == nullptr) {  // two threads may add the same one: then it is flushed twice, which does no harm
        h = new holder;
        h->batcher = batcher;
        h->next = holders_.load(std::memory_order_relaxed);
        while (!holders_.compare_exchange_weak(h->next, h, std::memory_order_acq_rel)) {
        }
    }
    h->waiting.store(true, std::memory_order_release);
    look();
}

void graph_core::look() noexcept {
    if (holders_.load(std::memory_order_acquire) == nullptr) return;
    if (!look_posted_.exchange(true, std::memory_order_acq_rel)) post(look_);
}

// Flushes when nothing that could still join a batch is ready or running, and at the latest after the hold limit: a body
// that waits for another one in a way that the graph cannot see must not stop the batches for ever.
void graph_core::watch_holders(turn& t) {
    if (inbox_.load(std::memory_order_acquire) != nullptr)
        return;  // first see what came; the lock is taken again for it
    const auto inside = static_cast<std::int64_t>(fsm_.active());
    t.quiescent = inside + outside_activity_.load(std::memory_order_acquire) <= 0;
    const ns now = monotonic_now();
    if (!t.quiescent && now < hold_until_) {
        if (hold_until_ == ns::max()) hold_until_ = now + options_.hold_limit;
        return;
    }
    holding_ = false;
    hold_until_ = ns::max();
    for (holder* h = holders_.load(std::memory_order_acquire); h != nullptr; h = h->next) {
        if (h->waiting.exchange(false, std::memory_order_acq_rel)) t.flush.push_back(h->batcher.get());
    }
    if (!t.flush.empty()) ++(t.quiescent ? activity_.flushes : activity_.limit_flushes);
}

void graph_core::post_end(graph_node& node) noexcept {
    node.kind = graph_event::what::end;
    node.core_->post(node);
}

void graph_core::wake(wake_event& event, graph_node& node) noexcept {
    event.node = &node;
    event.kind = graph_event::what::wake;
    node.core_->post(event);
}

}  // namespace headrace::batch
