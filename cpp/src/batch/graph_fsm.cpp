#include <bit>
#include <headrace/batch/graph_fsm.hpp>

namespace headrace::batch {
namespace {

graph_node* pop_highest(std::array<node_list, graph_node::priorities>& lists, std::uint32_t& bits) noexcept {
    if (bits == 0) return nullptr;
    const auto p = static_cast<std::uint32_t>(std::bit_width(bits) - 1);
    graph_node* node = lists[p].pop();
    if (lists[p].empty()) bits &= ~(1U << p);
    return node;
}

}  // namespace

void graph_effects::clear() noexcept {
    decided.clear();
    released.clear();
    remote.clear();
    abandoned.clear();
    awaited.clear();
    notify = false;
}

void graph_effects::move_to(graph_effects& empty) noexcept {
    if (!decided.empty()) decided.swap(empty.decided);
    if (!released.empty()) released.swap(empty.released);
    if (!remote.empty()) remote.swap(empty.remote);
    if (!abandoned.empty()) abandoned.swap(empty.abandoned);
    if (!awaited.empty()) awaited.swap(empty.awaited);
    empty.notify = std::exchange(notify, false);
}

// The shell has cancelled what was undecided and waited; only the history is left.
graph_fsm::~graph_fsm() {
    for (graph_node* n : history_) {
        drop_dependencies(*n);
        graph_node::release(n);
    }
    for (graph_node* n : effects_.released) graph_node::release(n);
}

void graph_fsm::link(graph_edge& e) noexcept {
    e.next_out = e.dependency->out_;
    e.dependency->out_ = &e;
    e.in_out_list = true;
    ++e.dependant->pending_;
}

void graph_fsm::add(graph_node& n, ns now) {
    n.id_ = next_id_++;
    ++counts_.added;
    enlist(n);
    n.phase_ = unit_phase::waiting;
    ++counts_.waiting;
    const graph_node* bad = nullptr;
    for (graph_edge* e = n.in_; e != nullptr; e = e->next_in) {
        const unit_state s = e->dependency->state();
        if (s == unit_state::pending) {
            link(*e);
        } else if (s != unit_state::done && bad == nullptr) {
            bad = e->dependency;
        }
    }
    if (n.out_ != nullptr) {  // somebody waited for it before it came: the only way to close a cycle by adding
        for (graph_edge* e = n.in_; e != nullptr && !n.error_; e = e->next_in) {
            if (auto cycle = refuse_cycle(n, *e->dependency)) n.error_.reset(new unit_error{{}, cycle, nullptr});
        }
    }
    if (n.error_) {
        decide(n, unit_state::failed, &n);
    } else if (bad != nullptr) {
        decide(n, bad->state(), bad->cause_);
    } else if (n.pending_ == 0) {
        start(n, now);
    }
    settle(now);
}

failure graph_fsm::depend(graph_node& dependant, graph_node& dependency) {
    if (dependant.phase_ != unit_phase::waiting) {
        return failure::of(errc::invalid_argument,
                           "unit " + dependant.label() + " does not wait any more: it takes no more dependencies");
    }
    if (auto bad = wait_for(dependant, dependency)) return bad;
    if (dependency.state() == unit_state::failed || dependency.state() == unit_state::cancelled) {
        decide(dependant, dependency.state(), dependency.cause_);
        settle(ns{0});  // a failure starts nothing, so no delay begins
    }
    return {};
}

// An edge for a unit that the graph has already; none to what is decided.
failure graph_fsm::wait_for(graph_node& waiter, graph_node& other) {
    if (other.decided()) return {};
    if (auto bad = refuse_cycle(waiter, other)) return bad;
    auto* e = new graph_edge;
    e->dependant = &waiter;
    e->dependency = &other;
    other.retain();
    e->next_in = waiter.in_;
    waiter.in_ = e;
    link(*e);
    return {};
}

void graph_fsm::start(graph_node& n, ns now) {
    --counts_.waiting;
    if (n.time > ns{0}) {
        n.phase_ = unit_phase::sleeping;
        ++counts_.sleeping;
        timers_.push(n, n.time, now);
    } else {
        make_ready(n);
    }
}

void graph_fsm::make_ready(graph_node& n) {
    if (!n.body_) {
        n.phase_ = unit_phase::over;
        decide(n, unit_state::done, nullptr);
        return;
    }
    ++active_;
    n.phase_ = unit_phase::ready;
    auto& lists = n.remote_ ? remote_lists_ : ready_lists_;
    lists[n.priority_].push(n);
    (n.remote_ ? remote_bits_ : ready_bits_) |= 1U << n.priority_;
    if (!n.remote_) ++ready_;
}

void graph_fsm::unqueue(graph_node& n) noexcept {
    auto& list = (n.remote_ ? remote_lists_ : ready_lists_)[n.priority_];
    list.remove(n);
    if (list.empty()) (n.remote_ ? remote_bits_ : ready_bits_) &= ~(1U << n.priority_);
    if (!n.remote_) --ready_;
    --active_;
}

graph_node* graph_fsm::take() noexcept {
    if (!room()) return nullptr;
    graph_node* n = pop_highest(ready_lists_, ready_bits_);
    if (n == nullptr) return nullptr;
    --ready_;
    ++running_;
    n->phase_ = unit_phase::running;
    if (!n->begun_) {
        n->begun_ = true;
        ++bodies_;
    }
    return n;
}

void graph_fsm::start_remotes() {
    while (remote_bits_ != 0 && room()) {
        graph_node* n = pop_highest(remote_lists_, remote_bits_);
        ++running_;
        --active_;
        n->phase_ = unit_phase::running;
        n->begun_ = true;
        ++bodies_;
        effects_.remote.push_back(n);
    }
}

void graph_fsm::end(graph_node& n, ns now) {
    if (!n.remote_) --active_;
    --running_;
    --bodies_;
    n.phase_ = unit_phase::over;
    if (n.decided()) {  // cancelled meanwhile: its result is nobody's
        effects_.released.push_back(&n);
        if (idle()) effects_.notify = true;
    } else {
        decide(n, n.error_ ? unit_state::failed : unit_state::done, n.error_ ? &n : nullptr);
    }
    settle(now);
}

void graph_fsm::suspend(graph_node& n, ns now) {
    --active_;
    --running_;
    n.phase_ = unit_phase::suspended;
    graph_wait& wait = *n.wait_;
    if (n.decided()) {
        unwind(n);
    } else if (wait.kind == graph_wait::what::timer) {
        timers_.push(n, wait.duration, now);
        ++counts_.sleeping;
    } else if (wait.kind == graph_wait::what::outside) {
        if (std::exchange(n.woken_early_, false)) make_ready(n);
    } else {
        wait.refused = wait_for(n, *wait.other);
        if (wait.refused || n.pending_ == 0) make_ready(n);
    }
    settle(now);
}

void graph_fsm::block(int n, ns now) {
    running_ -= static_cast<std::size_t>(n);
    settle(now);
}

// Cancelled while its body waits: the body runs on to its end.
void graph_fsm::unwind(graph_node& n) {
    if (n.wait_->kind == graph_wait::what::outside && !std::exchange(n.woken_early_, false)) {
        n.retain();
        effects_.abandoned.push_back(&n);
        return;  // until the wake
    }
    if (n.lane != nullptr) {
        timers_.remove(n);
        --counts_.sleeping;
    }
    make_ready(n);
}

void graph_fsm::wake(graph_node& n) {
    if (n.phase_ == unit_phase::suspended) {
        make_ready(n);
    } else {
        n.woken_early_ = true;
    }
}

void graph_fsm::expire(ns now) {
    while (timer_node* due = timers_.pop(now)) {
        --counts_.sleeping;
        make_ready(static_cast<graph_node&>(*due));
        settle(now);
    }
}

graph_counts graph_fsm::counts() const noexcept {
    graph_counts c = counts_;
    c.ready = ready_;
    for (const graph_node* n : all_) {
        if (n == nullptr) continue;
        c.running += n->phase_ == unit_phase::running;
        c.suspended += n->phase_ == unit_phase::suspended && n->lane == nullptr;
        c.ready += n->phase_ == unit_phase::ready && n->remote_;
    }
    return c;
}

}  // namespace headrace::batch
