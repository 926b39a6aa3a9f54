#include <algorithm>
#include <headrace/base/fork.hpp>
#include <thread>

#include "graph_turn.hpp"

namespace headrace::batch {
namespace {

// As many as exec::thread_pool::shared() has workers.
std::size_t most_runners() noexcept {
    return std::min<std::size_t>(32, exec::usable_cores() + 4);
}

thread_local const graph_core* carrying_out = nullptr;  // effects of this graph, further up on this stack

graph_event* reversed(graph_event* list) noexcept {
    graph_event* first = nullptr;
    while (list != nullptr) {
        graph_event* const next = std::exchange(list->next_event, first);
        first = std::exchange(list, next);
    }
    return first;
}

}  // namespace

graph_core::graph_core(task_graph_options options, std::shared_ptr<exec::thread_pool> pool,
                       std::shared_ptr<net::runtime> runtime)
    : options_(std::move(options)),
      pool_(std::move(pool)),
      limit_(options_.concurrency != 0 ? options_.concurrency : most_runners()),
      eager_(std::min(limit_, options_.eager_workers != 0 ? options_.eager_workers : exec::usable_cores())),
      generation_(fork_generation()),
      fsm_(options_.concurrency, options_.history) {
    look_.kind = graph_event::what::look;
    alarm_ = std::make_unique<net::alarm>(std::move(runtime), [this](ns now) { return ring(now); });
}

graph_core::~graph_core() {
    for (holder* h = holders_.load(); h != nullptr;) delete std::exchange(h, h->next);
}

bool graph_core::forked() const noexcept {
    return fork_generation() != generation_;
}
void graph_core::retire() {
    alarm_->stop();
    while (posting_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

failure graph_core::why_not() const {
    if (closed()) return failure::of(errc::closed, options_.name + " takes no more units: it was shut down");
    if (forked()) return failure::of(errc::forked, options_.name + " belongs to the parent process: make a new one");
    return failure::of(errc::queue_full, options_.name + " has " + std::to_string(options_.max_units) +
                                             " undecided units, which is its max_units: wait for some of them");
}

failure graph_core::foreign() const {
    return failure::of(errc::invalid_argument, options_.name + ": a unit may depend on units of its own graph only");
}

bool graph_core::prepare(graph_node& node, std::span<const node_ref> dependencies) {
    node.core_ = this;
    node.kind = graph_event::what::add;
    graph_edge** end = &node.in_;
    for (const node_ref& d : dependencies) {
        if (d.get() == nullptr || d->core_ != this) [[unlikely]]
            return false;
        auto* e = new graph_edge;
        e->dependant = &node;
        e->dependency = d.get();
        d->retain();
        *end = e;
        end = &e->next_in;
    }
    return true;
}

void graph_core::refuse(graph_node& node, failure why) {
    node.core_ = this;
    node.error_.reset(new unit_error{{}, std::move(why), nullptr});
    node.cause_ = &node;
    node.phase_ = unit_phase::over;
    node.state_.store(unit_state::failed, std::memory_order_release);
    if (node.tell_) node.on_decided();
}

// True: the inbox was empty, so nobody is on the way to it yet.
bool graph_core::push(graph_event& oldest, graph_event& newest) noexcept {
    graph_event* old = inbox_.load(std::memory_order_relaxed);
    do oldest.next_event = old;
    while (!inbox_.compare_exchange_weak(old, &newest, std::memory_order_acq_rel, std::memory_order_relaxed));
    return old == nullptr;
}

// What was posted may be the last thing that the graph waited for: it must not go before the poster has left.
void graph_core::post(graph_event& oldest, graph_event& newest) noexcept {
    posting_.fetch_add(1, std::memory_order_relaxed);
    if (push(oldest, newest)) kick();
    posting_.fetch_sub(1, std::memory_order_release);
}

void graph_core::hand_over(graph_event& oldest, graph_event& newest) noexcept {
    posting_.fetch_add(1, std::memory_order_relaxed);
    if (push(oldest, newest)) alarm_->ring_by(ns{0});
    posting_.fetch_sub(1, std::memory_order_release);
}

// Whoever lets go of the lock looks at the inbox again, so an event that came while the lock was held is not forgotten.
// The look is a read-modify-write: either it sees the event, or the event's poster sees the lock free.
void graph_core::kick() noexcept {
    if (carrying_out == this) return;  // a kick further up on this stack will see it
    for (;;) {
        graph_event* none = nullptr;
        if (inbox_.compare_exchange_strong(none, nullptr, std::memory_order_acq_rel)) return;
        if (!m_.try_lock()) return;
        turn t;
        absorb();
        leave(t);
    }
}

void graph_core::enter() {
    m_.lock();
    absorb();
}

void graph_core::leave() {
    turn t;
    leave(t);
    kick();
}

void graph_core::absorb() {
    if (inbox_.load(std::memory_order_relaxed) == nullptr) return;
    const ns now = monotonic_now();
    graph_event* e = reversed(inbox_.exchange(nullptr, std::memory_order_acq_rel));
    while (e != nullptr) {
        graph_event& event = *std::exchange(e, e->next_event);
        switch (event.kind) {
            case graph_event::what::add: {
                auto& node = static_cast<graph_node&>(event);
                fsm_.add(node, now);
                if (cancel_new_) fsm_.cancel(node, now);
                break;
            }
            case graph_event::what::end: fsm_.end(static_cast<graph_node&>(event), now); break;
            case graph_event::what::wake: fsm_.wake(*static_cast<wake_event&>(event).node); break;
            case graph_event::what::cancel: {
                auto& c = static_cast<cancel_event&>(event);
                fsm_.cancel(*c.node, now);
                fsm_.effects().released.push_back(c.node);
                delete &c;
                break;
            }
            case graph_event::what::look:
                look_posted_.exchange(false, std::memory_order_acq_rel);  // sees what its poster wrote
                holding_ = true;
                break;
        }
    }
}

void graph_core::leave(turn& t) {
    fsm_.effects().move_to(t.effects);
    if (!t.effects.decided.empty()) {
        decided_.fetch_add(t.effects.decided.size(), std::memory_order_relaxed);
        telling_.fetch_add(1);
    }
    if (!t.effects.remote.empty()) outside_activity_.fetch_add(static_cast<int>(t.effects.remote.size()));
    for (graph_node* n : t.effects.awaited) n->on_awaited();
    if (t.effects.notify) idle_.store(fsm_.idle(), std::memory_order_release);
    if (fsm_.can_take()) start_runners(t);
    if (holding_) watch_holders(t);
    t.alarm = std::min({fsm_.next_due(), stall_check_, hold_until_});
    m_.unlock();
    carry_out(t);
}

// A waiter is before its look at the state or in its wait, never between them.
void graph_core::notify() {
    std::vector<std::function<void()>> call;
    {
        lock_guard hold(wait_m_);
        changed_.notify_all();
        if (all_told()) call.swap(at_idle_);
    }
    for (auto& f : call) f();
}

void graph_core::carry_out(turn& t) {
    const graph_core* const outer = std::exchange(carrying_out, this);
    if (t.start != nullptr) submit(std::exchange(t.start, nullptr));
    if (t.effects.notify) notify();
    for (flushable* f : t.flush) f->flush_held(t.quiescent);
    t.flush.clear();
    for (graph_node* n : t.effects.remote) n->start_remote();
    for (graph_node* n : t.effects.abandoned) {
        n->on_abandoned();
        graph_node::release(n);
    }
    for (graph_node* n : t.effects.decided) {
        if (n->tell_) n->on_decided();
    }
    if (!t.effects.decided.empty() && telling_.fetch_sub(1) == 1 && idle_.load()) notify();
    if (t.on_alarm) {
        t.dropped.insert(t.dropped.end(), t.effects.decided.begin(), t.effects.decided.end());
        t.dropped.insert(t.dropped.end(), t.effects.released.begin(), t.effects.released.end());
    } else {
        for (graph_node* n : t.effects.decided) graph_node::release(n);
        for (graph_node* n : t.effects.released) graph_node::release(n);
        if (t.alarm != net::alarm::never) alarm_->ring_by(t.alarm);
    }
    t.effects.clear();
    carrying_out = outer;
}

// What is due comes first; memory is given back when nothing is. Sleepers that follow each other closely wake together: a
// ring for each of them would be all that the I/O thread does.
ns graph_core::ring(ns now) {
    constexpr ns closest{20'000};
    constexpr std::size_t most_dropped = 16 * 1024;
    turn t;
    t.on_alarm = true;
    for (;; now = monotonic_now()) {
        enter();
        fsm_.expire(now);
        if (now >= stall_check_) {
            stall_check_ = ns::max();
            const bool stuck = takes_seen_ == takes_ && entering_.load(std::memory_order_relaxed) == 0;
            if (stuck) t.more = std::max<std::size_t>(busy_, 1);
            takes_seen_ = takes_;
        }
        leave(t);
        kick();
        if (t.alarm > monotonic_now() || t.dropped.size() > most_dropped) break;
    }
    t.drop();
    return t.alarm == net::alarm::never ? t.alarm : std::max(t.alarm, now + closest);
}

}  // namespace headrace::batch
