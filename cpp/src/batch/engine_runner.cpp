#include "engine_runner.hpp"

#include <headrace/base/parker.hpp>

namespace headrace::batch {

engine::core::runner* engine::core::new_runner() {
    runner* r = spare_.exchange(nullptr, std::memory_order_acq_rel);
    if (r == nullptr) r = new runner;
    r->searching = true;
    r->has_batch = r->finished = r->spins = r->ran = false;
    r->may_spin = spin_.load(std::memory_order_relaxed) != 0;
    return r;
}

void engine::core::retire(runner& r) noexcept {
    const auto self = std::move(r.owner);  // the last one may be this
    delete spare_.exchange(&r, std::memory_order_acq_rel);
}

void engine::core::finish_own(runner& r, work& w, ns now) {
    if (!std::exchange(r.finished, false)) return;
    fsm_.finish(r.current->batch, now, w.out);
    w.done.push_back(r.current);
    r.current = r.current == &r.runs[0] ? &r.runs[1] : &r.runs[0];
}

void engine::core::run_batches(runner& r) {
    for (;;) {
        acting_.fetch_add(1);
        bool again = false;
        {
            frame here(*this);
            enter_waiting();
            do {
                decide(r.todo, &r);
            } while (!combiner_.leave());
            act(r.todo);
            again = here.again;
        }
        end_act();
        if (again) pass();
        if (r.has_batch) {
            if (std::exchange(r.spins, false)) r.budget.found_work(true);
            execute(*r.current);
            deliver_early(r);
            r.has_batch = false;
            r.finished = r.ran = true;
            r.may_spin = spin_.load(std::memory_order_relaxed) != 0 && r.budget.worth_it();
        } else if (!r.spins) {
            break;
        } else if (!spin()) {
            r.may_spin = false;
            r.budget.found_work(false);
        }
    }
    retire(r);
}

void engine::core::execute(batch_run& run) noexcept {
    try {
        function_->run(run.batch.items);
    } catch (...) {
        run.batch.failed = true;
        for (item* it : run.batch.items) function_->fail(*it, std::current_exception());
    }
    keep_results(run.batch);
}

/// Waiters need not wait for the next decision, unless the state machine may look at the items meanwhile.
void engine::core::deliver_early(runner& r) noexcept {
    if (!r.current->batch.is_private()) return;
    settle(*r.current, r.todo.out.decided);
    r.todo.out.decided.deliver();
}

/// True when there is something to look at.
bool engine::core::spin() noexcept {
    const ns until = monotonic_now() + ns{spin_.load(std::memory_order_relaxed)};
    do {
        for (int i = 0; i < 32; ++i) {
            if (ingress_.waiting() || poke_.load(std::memory_order_acquire)) return true;
            if (closing_.load(std::memory_order_relaxed) != not_closing) return true;
            spin_pause();
        }
    } while (monotonic_now() < until);
    return false;
}

void engine::core::runner_refused(runner& r, const failure& why) {
    const auto self = r.owner;
    retire(r);
    lost_runners_.fetch_add(1);
    if (why.code == errc::queue_full) {
        ring_by(monotonic_now() + std::chrono::milliseconds{1});  // the pool is too busy to even queue us: try again
        return;
    }
    closing_.store(cancelling, std::memory_order_release);  // no worker will ever come
    pass();
}

}  // namespace headrace::batch
