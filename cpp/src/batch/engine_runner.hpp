// What a worker of the pool does for an engine: batch after batch, while there are any.
#pragma once

#include "engine_core.hpp"

namespace headrace::batch {

/// A thread that is busy with an engine: what it causes itself (a sink or an asynchronous function that submits) is done by
/// the loop it is in, not by recursion.
struct engine::core::frame {
    explicit frame(const core& c) noexcept : engine(&c), outer(std::exchange(innermost, this)) {}
    ~frame() { innermost = outer; }
    frame(const frame&) = delete;
    frame& operator=(const frame&) = delete;

    static frame* of(const core& c) noexcept {
        frame* f = innermost;
        while (f != nullptr && f->engine != &c) f = f->outer;
        return f;
    }

    const core* engine;
    frame* outer;
    bool again = false;
    static inline thread_local frame* innermost = nullptr;
};

struct engine::core::runner final : exec::task {
    void run() noexcept override { owner->run_batches(*this); }
    void refused(const failure& why) noexcept override { owner->runner_refused(*this, why); }

    std::shared_ptr<core> owner;  // while it works
    work todo;
    batch_run runs[2];  // one runs while the other's items are delivered
    batch_run* current = &runs[0];
    bool has_batch = false;
    bool finished = false;   // the current one has run
    bool searching = false;  // counted in searching_
    bool may_spin = false;
    bool spins = false;
    bool ran = false;  // a batch, since the pool called
    spin_budget budget;
};

/// As pass(), but it does not leave it to another: `with_fsm` reads or changes the state machine itself.
template <class F>
void engine::core::pass_waiting(F&& with_fsm) {
    acting_.fetch_add(1);
    {
        frame here(*this);
        enter_waiting();
        work w;
        decide(w, nullptr);  // what has arrived counts
        with_fsm();
        while (!combiner_.leave()) decide(w, nullptr);
        act(w);
        while (std::exchange(here.again, false) && combiner_.enter_or_mark()) decide_and_act(w);
    }
    end_act();
}

}  // namespace headrace::batch
