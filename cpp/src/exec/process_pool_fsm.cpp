#include <headrace/exec/process_pool_fsm.hpp>

#include <algorithm>

namespace headrace::exec {
namespace {

constexpr ns look_again = std::chrono::milliseconds{1};

}  // namespace

failure process_options::check(const process_options& o) {
    const auto bad = [&](const char* text) { return failure::of(errc::invalid_argument, o.name + ": " + text); };
    if (o.command.empty()) return bad("no command to start workers with");
    if (o.max_queue_size == 0) return bad("max_queue_size must be at least 1 call");
    if (o.window == 0) return bad("window must be at least 1 call");
    if (o.breaker_failures == 0) return bad("breaker_failures must be at least 1 worker");
    if (o.start_timeout <= ns{0}) return bad("start_timeout must be positive");
    return {};
}

process_pool_fsm::process_pool_fsm(process_options options, worker_port& port, std::uint64_t seed)
    : options_(std::move(options)),
      port_(port),
      slots_(2 * options_.workers),
      backoff_({options_.backoff_first, options_.backoff_max}, seed) {}

failure process_pool_fsm::of(errc code, const std::string& text) const {
    return failure::of(code, options_.name + ": " + text);
}

void process_pool_fsm::fail(process_task& t, errc code, const std::string& text) {
    if (code == errc::timed_out) ++counters_.timed_out;
    if (code == errc::worker_lost) ++counters_.lost;
    if (code == errc::cancelled) ++counters_.cancelled;
    failed_.emplace_back(&t, of(code, text));
}

failure process_pool_fsm::submit(process_task& t, ns now) {
    failure why;
    if (closed_) {
        why = of(errc::closed, "shut down, takes no new calls");
    } else if (t.deadline <= now) {
        why = of(errc::timed_out, "the deadline has passed");
    } else if (broken(now)) {
        why = of(errc::worker_lost, "gave up starting workers for now: " + last_reason_);
    } else if (!has_room() && options_.on_full == full_policy::reject) {
        why = of(errc::queue_full, "the queue is full");
    }
    if (why) {
        ++counters_.refused;
        return why;
    }
    if (!has_room() && options_.on_full == full_policy::drop_oldest) {
        ++counters_.refused;
        fail(*queue_.pop(), errc::queue_full, "dropped for a newer call");
    }
    t.id_ = ++last_id_;
    ++counters_.submitted;
    queue_.push_back(t);
    dispatch(now);
    return {};
}

bool process_pool_fsm::cancel(process_task& t) {
    if (!process_queue::holds(t)) return false;
    queue_.remove(t);
    ++counters_.cancelled;
    return true;
}

void process_pool_fsm::dispatch(ns now) {
    while (!queue_.empty()) {
        worker* const w = pick(now);
        if (w == nullptr) break;
        process_task* const t = queue_.pop();
        if (t->deadline <= now) {
            fail(*t, errc::timed_out, "no worker before the deadline");
            continue;
        }
        give(*w, *t, now);
    }
    if (queue_.empty()) {
        steal(now);
    } else {
        start_workers(now);
    }
    if (closed_) wind_down(now);
}

process_pool_fsm::worker* process_pool_fsm::pick(ns now) {
    worker* idle = nullptr;
    worker* ahead = nullptr;
    for (auto& w : slots_) {
        if (w.state != phase::ready) continue;
        if (options_.max_tasks_per_worker != 0 && w.sent >= options_.max_tasks_per_worker) continue;
        if (w.calls.empty()) {
            if (idle == nullptr || w.last_used > idle->last_used) idle = &w;
        } else if (w.calls.size() < depth(w, now) && (ahead == nullptr || w.calls.size() < ahead->calls.size())) {
            ahead = &w;
        }
    }
    return idle != nullptr ? idle : ahead;
}

std::size_t process_pool_fsm::depth(const worker& w, ns now) const {
    if (w.call_time == ns{0} || w.call_time > short_call || now - w.front_since >= steal_after) return 1;
    const auto fits = static_cast<std::size_t>(work_ahead / std::max(w.call_time, ns{1}));
    return std::clamp<std::size_t>(fits, std::min<std::size_t>(2, options_.window), options_.window);
}

void process_pool_fsm::give(worker& w, process_task& t, ns now) {
    if (w.calls.empty()) w.front_since = now;
    w.calls.push_back(&t);
    w.last_used = now;
    ++w.sent;
    port_.send(index(w), t);
}

void process_pool_fsm::start_workers(ns now) {
    const std::size_t limit = failures_ >= options_.breaker_failures ? 1 : options_.workers;  // on trial
    start_due_ = ns::max();
    for (;;) {
        const std::size_t starting = count(phase::starting);
        if (starting >= limit || starting >= queue_.size() || starting + count(phase::ready) >= options_.workers)
            return;
        if (count(phase::none) == 0) return;  // on_gone() comes back here
        if (now < start_at_) {
            start_due_ = start_at_;
            return;
        }
        start_one(now);
    }
}

void process_pool_fsm::start_one(ns now) {
    auto& w = *std::ranges::find(slots_, phase::none, &worker::state);
    w = {};
    w.state = phase::starting;
    w.limit = now + options_.start_timeout;
    ++counters_.started;
    port_.start(index(w));
}

void process_pool_fsm::on_ready(std::size_t slot, ns now) {
    auto& w = slots_[slot];
    if (w.state != phase::starting) return;
    w.state = phase::ready;
    w.limit = ns::max();
    failures_ = 0;
    dispatch(now);
}

process_task* process_pool_fsm::on_answer(std::size_t slot, std::uint64_t id, ns now) {
    auto& w = slots_[slot];
    const bool listening = w.state == phase::ready || w.state == phase::draining;
    if (!listening || w.calls.empty() || w.calls.front()->id_ != id) return nullptr;
    process_task* const t = w.calls.front();
    w.calls.pop_front();
    const ns took = std::max(now - w.front_since, ns{1});
    w.call_time = w.call_time == ns{0} ? took : (3 * w.call_time + took) / 4;
    w.front_since = now;
    w.last_used = now;
    ++w.answered;
    ++counters_.answered;
    if (w.answered == 1) backoff_.reset();
    if (options_.max_tasks_per_worker != 0 && w.answered >= options_.max_tasks_per_worker && w.state == phase::ready)
        retire(w, now);
    if (w.state == phase::draining) finish_or_wait(w, now);
    return t;
}

// How many of its calls have begun; the others never will here.
std::size_t process_pool_fsm::begun_of(worker& w) {
    if (w.calls.empty()) return 0;
    const std::uint32_t begun = port_.revoke(index(w)) - w.answered;
    return std::min<std::size_t>(begun, w.calls.size());
}

void process_pool_fsm::take_back(worker& w, std::size_t begun) {
    while (w.calls.size() > begun) {
        queue_.push_front(*w.calls.back());
        w.calls.pop_back();
        --w.sent;
        ++counters_.returned;
    }
}

// Something waits behind a long call while another worker has nothing to do.
void process_pool_fsm::steal(ns now) {
    const auto idle = [](const worker& w) { return w.state == phase::ready && w.calls.empty(); };
    if (std::ranges::none_of(slots_, idle)) return;
    for (auto& w : slots_) {
        if (w.state != phase::ready || w.calls.size() < 2 || now - w.front_since < steal_after) continue;
        take_back(w, begun_of(w));
        break;
    }
    while (!queue_.empty()) {
        worker* const to = pick(now);
        if (to == nullptr || !to->calls.empty()) break;
        give(*to, *queue_.pop(), now);
    }
}

void process_pool_fsm::explain(std::size_t slot, std::string why) {
    slots_[slot].reason = std::move(why);
}

void process_pool_fsm::on_breach(std::size_t slot, std::string why, ns now) {
    auto& w = slots_[slot];
    if (w.state == phase::none || w.state == phase::dying) return;
    take_back(w, begun_of(w));
    condemn(w, std::move(why), now);
    port_.kill(slot);
}

void process_pool_fsm::condemn(worker& w, std::string why, ns now) {
    w.state = phase::dying;
    w.reason = std::move(why);
    w.limit = now + options_.kill_grace;
    ++counters_.killed;
}

void process_pool_fsm::on_gone(std::size_t slot, const std::string& why, ns now) {
    auto& w = slots_[slot];
    if (w.state == phase::none) return;
    const std::string reason = w.reason.empty() ? "a worker " + why : w.reason;
    const std::size_t begun = begun_of(w);
    take_back(w, begun);
    for (process_task* t : w.calls) fail(*t, errc::worker_lost, reason);
    const phase was = w.state;
    const bool useless = w.answered == 0;
    w = {};
    if (was == phase::starting) start_failed(reason, now);
    if (was == phase::ready || was == phase::draining) {
        ++counters_.crashed;
        if (useless) start_at_ = now + backoff_.next();
    }
    dispatch(now);
}

void process_pool_fsm::start_failed(const std::string& why, ns now) {
    ++counters_.crashed;
    last_reason_ = why;
    start_at_ = now + backoff_.next();
    if (++failures_ < options_.breaker_failures) return;
    start_at_ = now + options_.breaker_reset;
    while (process_task* t = queue_.pop())
        fail(*t, errc::worker_lost, "gave up after " + std::to_string(failures_) + " workers in a row: " + why);
}

void process_pool_fsm::on_memory(std::size_t slot, std::uint64_t bytes, ns now) {
    auto& w = slots_[slot];
    if (w.state != phase::ready || options_.max_memory == 0 || bytes <= options_.max_memory) return;
    retire(w, now);
    finish_or_wait(w, now);
    dispatch(now);
}

void process_pool_fsm::retire(worker& w, ns) {
    w.state = phase::draining;
    ++counters_.recycled;
    take_back(w, begun_of(w));
}

void process_pool_fsm::finish_or_wait(worker& w, ns now) {
    if (!w.calls.empty()) return;
    w.state = phase::finishing;
    w.limit = now + options_.stop_grace;
    port_.finish(index(w));
}

void process_pool_fsm::on_tick(ns now) {
    if (queue_.earliest_deadline() <= now)
        queue_.take_expired(now, [&](process_task& t) { fail(t, errc::timed_out, "no worker before the deadline"); });
    for (auto& w : slots_) {
        if (w.state == phase::none) continue;
        check_deadlines(w, now);
        check_limit(w, now);
    }
    dispatch(now);
}

void process_pool_fsm::check_deadlines(worker& w, ns now) {
    if (w.state != phase::ready && w.state != phase::draining) return;
    if (now - w.looked < look_again) return;
    if (std::ranges::none_of(w.calls, [now](const auto* t) { return t->deadline <= now; })) return;
    w.looked = now;
    const std::size_t begun = begun_of(w);
    take_back(w, begun);  // the queue fails those that are late as well
    // More than one: all but the last were answered already, and somebody is about to read it.
    if (begun == 1 && w.calls.front()->deadline <= now) {
        fail(*w.calls.front(), errc::timed_out, "ran into its deadline; its worker was stopped");
        w.calls.clear();
        condemn(w, "a worker was stopped at a deadline", now);
        port_.terminate(index(w));
    }
    if (queue_.earliest_deadline() <= now)
        queue_.take_expired(now, [&](process_task& t) { fail(t, errc::timed_out, "no worker before the deadline"); });
}

void process_pool_fsm::check_limit(worker& w, ns now) {
    if (w.limit > now) return;
    w.limit = now + options_.kill_grace;  // asked again, should it come to that
    if (w.state == phase::starting) {
        w.reason = "a worker did not get ready in time";
        port_.kill(index(w));
    } else if (w.state == phase::finishing) {
        condemn(w, "a worker did not end in time", now);
        port_.terminate(index(w));
    } else if (w.state == phase::dying) {
        port_.kill(index(w));
    }
}

ns process_pool_fsm::next_tick() const {
    ns due = queue_.earliest_deadline();
    bool idle = false;
    for (const auto& w : slots_) idle = idle || (w.state == phase::ready && w.calls.empty());
    for (const auto& w : slots_) {
        due = std::min(due, w.limit);
        if (w.state != phase::ready && w.state != phase::draining) continue;
        for (const auto* t : w.calls) due = std::min(due, std::max(t->deadline, w.looked + look_again));
        if (idle && w.calls.size() > 1) due = std::min(due, w.front_since + steal_after);
    }
    return queue_.empty() ? due : std::min(due, start_due_);
}

void process_pool_fsm::open(ns now) {
    for (std::size_t i = 0; i < std::min(options_.prestart, options_.workers); ++i) start_one(now);
}

void process_pool_fsm::close(stop_mode mode, ns now) {
    closed_ = true;
    while (mode == stop_mode::cancel && !queue_.empty()) fail(*queue_.pop(), errc::cancelled, "the pool was shut down");
    dispatch(now);
}

void process_pool_fsm::wind_down(ns now) {
    if (!queue_.empty()) return;
    for (auto& w : slots_) {
        if (w.state == phase::ready) finish_or_wait(w, now);
        if (w.state == phase::starting) {
            condemn(w, "the pool was shut down", now);
            port_.terminate(index(w));
        }
    }
}

void process_pool_fsm::kill_all(ns now) {
    closed_ = true;
    while (process_task* t = queue_.pop()) fail(*t, errc::cancelled, "the workers were killed");
    for (auto& w : slots_) {
        if (w.state == phase::none) continue;
        for (process_task* t : w.calls) fail(*t, errc::worker_lost, "the workers were killed");
        w.calls.clear();
        if (w.state != phase::dying) condemn(w, "killed", now);
        port_.kill(index(w));
    }
}

bool process_pool_fsm::finished() const {
    return closed_ && queue_.empty() && count(phase::none) == slots_.size();
}

std::size_t process_pool_fsm::count(phase p) const {
    return static_cast<std::size_t>(std::ranges::count(slots_, p, &worker::state));
}

process_counters process_pool_fsm::counters() const {
    process_counters now = counters_;
    now.waiting = queue_.size();
    now.workers = count(phase::ready);
    for (const auto& w : slots_) now.running += w.calls.size();
    return now;
}

}  // namespace headrace::exec
