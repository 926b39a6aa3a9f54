// How a graph uses the pool: runners that take one unit after the other, and more of them while nothing moves.
#include <headrace/base/parker.hpp>

#include "graph_turn.hpp"

namespace headrace::batch {
namespace {

// A runner gives its worker back to others after this many units.
constexpr std::size_t units_per_run = 256;
constexpr std::size_t units_per_scope = 4096;  // entering a scope may cost as much as many units
// How long ready units wait for a worker to come back before the graph asks for another one.
constexpr ns stall_limit{200'000};
constexpr int scope_tries = 50;

thread_local const graph_core* body_of = nullptr;  // a body of this graph runs further up on this stack

}  // namespace

bool graph_core::running_here() const noexcept {
    return body_of == this;
}

// Bodies that end soon are best served by few workers; one that blocks must not keep the others waiting for long. So some
// start at once, and as many again whenever none came back within the stall limit.
void graph_core::start_runners(turn& t) {
    const std::size_t ready = fsm_.ready();
    const std::size_t limit = limit_ + blocked_;
    std::size_t most = std::min(limit, std::max(eager_ + blocked_, busy_ + t.more));
    most = std::min(most, busy_ + ready);
    t.more = 0;
    for (; busy_ < most; ++busy_) {
        if (spare_.empty()) {
            runners_.push_back(std::make_unique<runner>());
            spare_.push_back(runners_.back().get());
        }
        runner* r = spare_.back();
        spare_.pop_back();
        r->next = t.start;
        t.start = r;
    }
    if (busy_ < limit && ready != 0 && stall_check_ == ns::max()) {
        takes_seen_ = takes_;
        stall_check_ = monotonic_now() + stall_limit;
    }
}

void graph_core::block(int n) {
    enter();
    blocked_ += static_cast<std::size_t>(n);
    fsm_.block(n, monotonic_now());
    leave();
}

void graph_core::submit(runner* chain) {
    for (exec::task* r = chain; r != nullptr; r = r->next) static_cast<runner*>(r)->keep = shared_from_this();
    exec::task* rest = nullptr;
    const failure why = pool_->submit_chain(chain, rest);
    while (rest != nullptr) std::exchange(rest, rest->next)->refused(why);
}

// A pool without room is asked again after the stall limit; one that was stopped runs nothing any more.
void graph_core::pool_refused(runner& r, const failure& why) {
    turn t;
    enter();
    --busy_;
    spare_.push_back(&r);
    if (why.code != errc::queue_full && why.code != errc::timed_out) {
        closed_.store(true, std::memory_order_release);
        cancel_new_ = true;
        fsm_.cancel_all(monotonic_now());
    }
    stall_check_ = monotonic_now() + stall_limit;
    leave(t);
    kick();
}

// With a scope, the lock is only taken without waiting while the scope is held; it is worth some tries to keep it.
void graph_core::enter_from_body(bool& in_scope) {
    for (int tries = 0; in_scope && tries < scope_tries; ++tries, spin_pause()) {
        if (m_.try_lock()) return absorb();
    }
    if (std::exchange(in_scope, false)) options_.scope->leave();
    enter();
}

void graph_core::work(runner& r) {
    const graph_core* const outer = std::exchange(body_of, this);
    bool in_scope = false;
    turn t;
    enter();
    for (std::size_t left = options_.scope ? units_per_scope : units_per_run;; --left) {
        const bool may_go_on = left != 0 && busy_ <= limit_ + blocked_;
        graph_node* const node = may_go_on ? fsm_.take() : nullptr;
        if (node == nullptr) break;
        ++takes_;
        leave(t);
        kick();
        if (options_.scope && !std::exchange(in_scope, true)) {
            entering_.fetch_add(1, std::memory_order_relaxed);
            options_.scope->enter();
            entering_.fetch_sub(1, std::memory_order_relaxed);
        }
        const auto how = node->run();
        enter_from_body(in_scope);
        if (how == graph_node::outcome::suspended) {
            fsm_.suspend(*node, monotonic_now());
        } else {
            fsm_.end(*node, monotonic_now());
        }
    }
    --busy_;
    spare_.push_back(&r);
    leave(t);  // starts a runner, this one perhaps, when there is more
    if (in_scope) options_.scope->leave();
    kick();
    body_of = outer;
}

}  // namespace headrace::batch
