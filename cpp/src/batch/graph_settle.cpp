// How one decision spreads: to dependants, and with a cancel to dependencies that nobody needs any more.
#include <headrace/batch/graph_fsm.hpp>

namespace headrace::batch {
namespace {

// Someone undecided waits for it.
bool needed(const graph_edge* out) noexcept {
    for (; out != nullptr; out = out->next_out) {
        if (out->dependant != nullptr && !out->dependant->decided()) return true;
    }
    return false;
}

}  // namespace

// The graph's reference goes to the shell; a body that is alive keeps one of its own.
void graph_fsm::decide(graph_node& n, unit_state state, graph_node* cause) {
    switch (n.phase_) {
        case unit_phase::waiting: --counts_.waiting; break;
        case unit_phase::sleeping:
            timers_.remove(n);
            --counts_.sleeping;
            break;
        case unit_phase::ready:
            if (!n.begun_) unqueue(n);
            break;
        default: break;
    }
    if (n.begun_ && n.phase_ != unit_phase::over) {
        n.retain();
    } else {
        n.phase_ = unit_phase::over;
    }
    n.cause_ = cause;
    if (cause != nullptr && cause != &n) cause->retain();
    n.state_.store(state, std::memory_order_release);

    delist(n);
    ++(state == unit_state::done ? counts_.done : state == unit_state::failed ? counts_.failed : counts_.cancelled);
    if (n.watched_.load(std::memory_order_relaxed) || counts_.undecided == 0) effects_.notify = true;
    effects_.decided.push_back(&n);
    work_.push_back(&n);
    if (n.phase_ == unit_phase::suspended) unwind(n);
}

void graph_fsm::enlist(graph_node& n) {
    ++counts_.undecided;
    n.place_ = static_cast<std::uint32_t>(all_.size());
    all_.push_back(&n);
}

// The list closes its gaps when they are the larger part.
void graph_fsm::delist(graph_node& n) noexcept {
    all_[n.place_] = nullptr;
    if (--counts_.undecided == 0) {
        all_.clear();
    } else if (all_.size() > 64 && counts_.undecided < all_.size() / 4) {
        std::erase(all_, nullptr);
        for (std::size_t i = 0; i < all_.size(); ++i) all_[i]->place_ = static_cast<std::uint32_t>(i);
    }
}

// A loop over decided units, however deep the graph is.
void graph_fsm::settle(ns now) {
    while (!work_.empty()) {
        graph_node& n = *work_.back();
        work_.pop_back();
        graph_edge* e = std::exchange(n.out_, nullptr);
        while (e != nullptr) {
            graph_edge* const next = e->next_out;
            follow(*e, n, now);
            e = next;
        }
        if (cancelling_) each_dependency(n, [this](graph_node& d) { perhaps_unneeded_.push_back(&d); });
        if (max_history_ != 0) {
            remember(n);
        } else {
            drop_dependencies(n);
        }
    }
    if (remote_bits_ != 0) start_remotes();
}

void graph_fsm::follow(graph_edge& e, const graph_node& from, ns now) {
    graph_node* const d = e.dependant;
    e.in_out_list = false;
    if (d == nullptr) delete &e;
    if (d == nullptr || d->decided()) return;
    --d->pending_;
    if (d->phase_ == unit_phase::suspended || d->phase_ == unit_phase::running) {
        forget_wait(*d, e);
        if (d->phase_ == unit_phase::running) {
            effects_.awaited.push_back(d);
        } else if (d->pending_ == 0) {
            make_ready(*d);
        }
    } else if (from.state() != unit_state::done) {
        decide(*d, from.state(), from.cause_);
    } else if (d->pending_ == 0) {
        start(*d, now);
    }
}

// A body may wait for a million units, one after the other: what it has waited for is not kept.
void graph_fsm::forget_wait(graph_node& waiter, graph_edge& e) {
    graph_edge** at = &waiter.in_;
    while (*at != &e) at = &(*at)->next_in;
    *at = e.next_in;
    effects_.released.push_back(e.dependency);
    delete &e;
}

void graph_fsm::drop_dependencies(graph_node& n) {
    graph_edge* e = std::exchange(n.in_, nullptr);
    while (e != nullptr) {
        graph_edge* const next = e->next_in;
        effects_.released.push_back(e->dependency);
        e->dependant = nullptr;
        if (!e->in_out_list) delete e;
        e = next;
    }
}

void graph_fsm::remember(graph_node& n) {
    n.retain();
    history_.push_back(&n);
    if (history_.size() <= max_history_) return;
    graph_node* const oldest = history_.front();
    history_.pop_front();
    drop_dependencies(*oldest);
    effects_.released.push_back(oldest);
}

bool graph_fsm::cancel(graph_node& n, ns now) {
    if (n.decided() || n.phase_ == unit_phase::fresh) return false;
    cancelling_ = true;
    decide(n, unit_state::cancelled, &n);
    settle(now);
    cancel_unneeded(&n, now);
    cancelling_ = false;
    return true;
}

void graph_fsm::cancel_unneeded(graph_node* cause, ns now) {
    while (!perhaps_unneeded_.empty()) {
        graph_node& d = *perhaps_unneeded_.back();
        perhaps_unneeded_.pop_back();
        if (d.decided() || d.phase_ == unit_phase::fresh || needed(d.out_)) continue;
        decide(d, unit_state::cancelled, cause);
        settle(now);
    }
}

void graph_fsm::cancel_all(ns now) {
    const std::vector<graph_node*> undecided(
        all_);  // one that is decided meanwhile lives until the effects are carried out
    for (graph_node* n : undecided) {
        if (n == nullptr || n->decided()) continue;
        decide(*n, unit_state::cancelled, n);
        settle(now);
    }
}

}  // namespace headrace::batch
