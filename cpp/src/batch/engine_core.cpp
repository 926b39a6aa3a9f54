#include "engine_core.hpp"

#include <headrace/base/parker.hpp>
#include <thread>

#include "engine_runner.hpp"

namespace headrace::batch {

engine::core::core(const batch_options& options, std::shared_ptr<batch_function> function,
                   std::shared_ptr<exec::thread_pool> pool)
    : function_(std::move(function)),
      pool_(function_->is_async() ? nullptr : std::move(pool)),
      max_queue_size_(options.max_queue_size),
      on_full_(options.on_full),
      spin_(options.spin.count()),
      caching_(options.cache_size != 0),
      fsm_(
          options, [f = function_.get()](const item& a, const item& b) { return f->same_key(a, b); }, monotonic_now()) {
    ingress_.arm();
}

engine::core::~core() {
    alarm_.reset();
    delete spare_.load();
    delete new_options_.load();
}

void engine::core::pass() {
    if (frame* const own = frame::of(*this)) {
        own->again = true;
        return;
    }
    acting_.fetch_add(1);
    {
        frame here(*this);
        do {
            here.again = false;
            if (!combiner_.enter_or_mark()) break;
            work w;
            decide_and_act(w);
        } while (here.again);
    }
    end_act();
}

void engine::core::decide_and_act(work& w) {
    do {
        decide(w, nullptr);
    } while (!combiner_.leave());
    act(w);
}

void engine::core::enter_waiting() noexcept {
    for (int tries = 0; !combiner_.try_enter(); ++tries) {
        if (tries < 64) {
            spin_pause();
        } else {
            std::this_thread::yield();  // the holder lost its processor: it blocks on nothing
        }
    }
}

void engine::core::decide(work& w, runner* r) {
    ns now = monotonic_now();
    do {
        combiner_.look();
        collect(w, now);
        if (r != nullptr) finish_own(*r, w, now);
        if (flush_.load(std::memory_order_relaxed) && flush_.exchange(false)) fsm_.flush();
        apply_closing(w, now);
        if (now >= fsm_.next_deadline()) fsm_.sweep(now, w.out);
    } while (!dispatch(w, r, now));
    if (const std::size_t n = fsm_.take_departed()) {
        depth_.fetch_sub(n);
        w.departed += n;
    }
    note_stop(w);
}

void engine::core::collect(work& w, ns now) {
    if (new_options_.load(std::memory_order_relaxed) != nullptr) {
        const std::unique_ptr<batch_options> fresh(new_options_.exchange(nullptr));
        if (fresh) fsm_.configure(*fresh, now);
    }
    if (lost_runners_.load(std::memory_order_relaxed) != 0) searching_ -= lost_runners_.exchange(0);
    // What was withdrawn entered before: taken in this order, it is found inside.
    item* gone = withdrawn_.load(std::memory_order_relaxed) == nullptr ? nullptr : withdrawn_.exchange(nullptr);
    for (item *it = ingress_.take_all(), *rest = nullptr; it != nullptr; it = rest) {
        rest = it->next;
        fsm_.arrive(*it, now, w.out);
    }
    while (gone != nullptr) {
        item& it = *std::exchange(gone, gone->next_withdrawn_);
        fsm_.withdraw(it, w.out);
    }
    batch_run* run = done_.load(std::memory_order_relaxed) == nullptr ? nullptr : done_.exchange(nullptr);
    for (; run != nullptr; run = run->next_done) {
        fsm_.finish(run->batch, now, w.out);
        w.done.push_back(run);
    }
}

void engine::core::apply_closing(work& w, ns now) {
    const int closing = closing_.load(std::memory_order_acquire);
    if (closing == closed_as_) return;
    for (item *it = ingress_.close(), *rest = nullptr; it != nullptr; it = rest) {
        rest = it->next;
        fsm_.arrive(*it, now, w.out);
    }
    closed_as_ = closing;
    fsm_.close(closing == cancelling ? stop_mode::cancel : stop_mode::drain, w.out);
}

/// Forms what may leave now. False: something arrived just before the entrance could be armed, look again.
bool engine::core::dispatch(work& w, runner* r, ns now) {
    batch_fsm::step step = fsm_.next(now);
    while (step.dispatch && function_->is_async()) {
        auto run = std::make_unique<batch_run>();
        if (fsm_.take(now, run->batch, w.out)) {
            run->owner = shared_from_this();
            w.started.push_back(run.release());
        }
        step = fsm_.next(now);
    }
    // With other tasks waiting for a worker, one batch a turn: the rest goes to the end of the pool's queue.
    const bool yields = r != nullptr && r->ran && pool_->tasks_wait();
    while (step.dispatch && r != nullptr && !r->has_batch && !yields) {
        if (fsm_.take(now, r->current->batch, w.out)) {
            r->has_batch = true;
            if (std::exchange(r->searching, false)) --searching_;
        }
        step = fsm_.next(now);
    }
    if (r != nullptr && !r->has_batch) rest(*r, yields);
    if (step.dispatch && !function_->is_async()) {
        if (searching_ == 0) {
            ++searching_;
            w.start = new_runner();
        } else if (r == nullptr || !r->searching) {
            poke_.store(true, std::memory_order_release);
        }
    }
    w.ring_by = std::min(step.at, fsm_.next_deadline());
    // A runner that searches looks at the entrance by itself.
    if (searching_ != 0) return true;
    return !step.wants_arrivals || ingress_.arm();
}

/// A runner without a batch looks on for a while, or leaves. Only one looks on.
void engine::core::rest(runner& r, bool yields) {
    poke_.store(false, std::memory_order_relaxed);
    r.spins = r.may_spin && !yields && closed_as_ == not_closing && (r.searching || searching_ == 0);
    if (r.spins && !r.searching) ++searching_;
    if (!r.spins && r.searching) --searching_;
    r.searching = r.spins;
    if (r.spins) ingress_.disarm();
}

void engine::core::note_stop(work& w) {
    if (stop_told_ || closed_as_ == not_closing || !fsm_.finished()) return;
    stop_told_ = w.stopped = acting_.load() == 1;
    if (!stop_told_) stop_pending_.store(true);
}

void engine::core::end_act() {
    if (acting_.fetch_sub(1) == 1 && stop_pending_.load(std::memory_order_relaxed) && stop_pending_.exchange(false))
        pass();
}

void engine::core::act(work& w) noexcept {
    if (w.start != nullptr) {
        runner* const r = std::exchange(w.start, nullptr);
        r->owner = shared_from_this();
        if (const auto why = pool_->submit(*r)) r->refused(why);
    }
    share_results(w);
    for (batch_run* run : w.done) {
        settle(*run, w.out.decided);
    }
    w.out.decided.deliver();
    for (batch_run* run : w.done) {
        if (run->owner != nullptr) delete run;
    }
    w.done.clear();
    if (std::exchange(w.departed, 0) != 0 && room_waiters_.load() != 0) {
        const lock_guard hold(m_);
        room_.notify_all();
    }
    if (w.ring_by != ns::max()) ring_by(w.ring_by);
    for (batch_run* run : w.started) start(run);
    w.started.clear();
    if (std::exchange(w.stopped, false)) tell_stopped();
}

void engine::core::share_results(work& w) noexcept {
    const auto copy = [&](const item& from, item& to) {
        try {
            function_->share(from, to);
        } catch (...) {
            function_->fail(to, std::current_exception());
        }
        w.out.decided.add(to);
    };
    for (const auto& s : w.out.shares) copy(*s.from, *s.to);
    for (const auto& h : w.out.hits) copy(*h.from, *h.to);
    w.out.shares.clear();
    w.out.hits.clear();
}

/// The batch is over: its waiters are done, those that have gone before are forgotten.
void engine::core::settle(batch_run& run, delivery& to) noexcept {
    for (item* it : run.batch.items) {
        if (it->decide(item_state::running, item_state::done)) {
            to.add(*it);
        } else if (it->released_.exchange(true, std::memory_order_acq_rel)) {
            it->sink->recycle(*it);
        }
    }
    run.batch.items.clear();
}

void engine::core::start(batch_run* run) noexcept {
    batch_handle handle(run);
    try {
        function_->start(std::move(handle));
    } catch (...) {
        if (handle) handle.fail(std::current_exception());
    }
}

void engine::core::finished(batch_run* run) noexcept {
    const auto self = run->owner;  // this pass may delete the run, and the run may be the last to hold us
    keep_results(run->batch);
    run->next_done = done_.load(std::memory_order_relaxed);
    while (!done_.compare_exchange_weak(run->next_done, run, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    pass();
}

void engine::core::keep_results(running_batch& b) noexcept {
    if (!b.has_keys || b.failed || !caching_.load(std::memory_order_relaxed)) return;
    for (const item* it : b.items) {
        if (it->key == 0) continue;
        try {
            if (auto kept = function_->keep(*it)) b.kept.push_back(std::move(kept));
        } catch (...) {
            continue;  // a result that cannot be copied is not kept
        }
    }
}

void engine::core::tell_stopped() {
    std::vector<std::function<void()>> callbacks;
    {
        const lock_guard hold(m_);
        stopped_ = true;
        callbacks.swap(on_stopped_);
        stop_.notify_all();
        room_.notify_all();
    }
    for (const auto& callback : callbacks) {
        if (callback) callback();
    }
}

void engine::core::ring_by(ns when) {
    std::call_once(alarm_made_, [this] {
        alarm_ = std::make_unique<net::alarm>(net::runtime::shared(), [weak = weak_from_this()](ns) {
            if (const auto self = weak.lock()) self->pass();
            return net::alarm::never;
        });
    });
    alarm_->ring_by(when);
}

}  // namespace headrace::batch
