#include "http_worker.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>

namespace headrace::load {
namespace {

constexpr ns publish_every = std::chrono::milliseconds{100};
constexpr ns latencies_every = std::chrono::milliseconds{500};
constexpr std::size_t buffer_size = 64 * 1024;
// Requests never sent whose waiting is recorded one by one; more of them are counted only.
constexpr std::uint64_t max_unsent_listed = 10'000'000;

// Whole numbers shared fairly: the first ones get one more.
std::uint64_t share_of(std::uint64_t all, std::size_t parts, std::size_t index) noexcept {
    return all / parts + (index < all % parts ? 1 : 0);
}

ns thread_cpu() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds{t.tv_sec} + ns{t.tv_nsec};
}

// Time in which the calling thread was ready to run and had no core; negative when the kernel does not say.
ns queued_time() {
    std::ifstream file("/proc/thread-self/schedstat");
    std::int64_t ran = 0;
    std::int64_t queued = 0;
    return file >> ran >> queued ? ns{queued} : ns{-1};
}

ns window_end_of(const http_shared& s) {
    const auto& o = s.options;
    return o.duration > ns{0} ? s.start + o.warm_up + o.duration : ns::max();
}

}  // namespace

http_worker::http_worker(http_shared& shared, std::size_t index)
    : shared_(shared),
      options_(shared.options),
      index_(index),
      window_end_(window_end_of(shared)),
      tally_(shared.start + shared.options.warm_up, window_end_),
      io_{{}, tally_, shared.tls.get(), options_.tls.verify, options_.keep_alive, http_expectation(options_), {}, {}},
      rows_(shared.rows, shared.anchor),
      share_(options_.count == 0 ? ~std::uint64_t{0} : share_of(options_.count, options_.threads, index)),
      random_(options_.seed + index + 1),
      next_request_(static_cast<std::uint32_t>(index % shared.plan.requests.size())) {
    io_.buffer.resize(buffer_size);
    const auto own = static_cast<std::size_t>(share_of(options_.users, options_.threads, index));
    if (options_.rate > 0) {
        slots_.resize(own);
        idle_.resize(shared.plan.origins.size());
        for (std::size_t i = own; i-- > 0;) unused_.push_back(static_cast<std::uint32_t>(i));
    } else {
        slots_.resize(own * shared.plan.origins.size());
        users_.resize(own);
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].address = static_cast<std::uint32_t>(i);
}

void http_worker::run() {
    const ns cpu_before = thread_cpu();
    const ns queued_before = queued_time();
    const ns began = monotonic_now();
    if (options_.rate > 0) {
        open_schedule();
    } else {
        seat_users();
    }
    for (;;) {
        const ns now = monotonic_now();
        look_at_stop(now);
        if (schedule_) {
            begin_what_is_due(now);
        } else {
            keep_appointments(now);
            begin_ready();
        }
        if (accepting_ && now >= window_end_) close_window(now);
        expire(now);
        begin_ready();
        if (over(now)) break;
        if (now >= publish_at_) publish(now, false);
        handle(io_.events.wait(next_moment()));
    }
    const ns now = monotonic_now();
    abandon(now);
    rows_.flush();
    for (auto& s : slots_) s.connection.close();
    {
        const lock_guard hold(mutex_);
        published_.cpu = thread_cpu() - cpu_before;
        published_.queued = queued_before < ns{0} ? queued_before : queued_time() - queued_before;
        published_.ran = now - began;
    }
    publish(now, true);
}

void http_worker::handle(std::span<const epoll_event> events) {
    for (const auto& e : events) {
        if (e.data.u64 == poller::wake_key) continue;
        const auto index = static_cast<std::uint32_t>(e.data.u64);
        auto& s = slots_[index];
        if (s.generation != e.data.u64 >> 32) continue;
        follow(index, s.connection.on_events(io_, e.events));
        begin_ready();
    }
    std::vector<std::uint32_t> unread;
    unread.swap(more_to_read_);
    for (const auto index : unread) {
        follow(index, slots_[index].connection.go_on(io_));
        begin_ready();
    }
}

ns http_worker::next_moment() const {
    if (!more_to_read_.empty()) return ns{0};
    ns moment = publish_at_;
    if (accepting_) moment = std::min(moment, window_end_);
    if (oldest_ != none) moment = std::min(moment, slots_[oldest_].sent + options_.timeout);
    if (may_begin()) {
        if (schedule_ && !blocked_) moment = std::min(moment, schedule_->peek());
        if (!schedule_ && !appointments_.empty()) moment = std::min(moment, appointments_.top().when);
    }
    return std::min(moment, drain_end_);
}

void http_worker::look_at_stop(ns now) {
    const ns stop{shared_.stop_at.load(std::memory_order_acquire)};
    if (now < stop || interrupted_) return;
    interrupted_ = true;
    if (accepting_) window_end_ = std::min(window_end_, stop);
    drain_end_ = now;
}

// Nothing is begun from here on. What was due and never sent is counted: it is load that was not offered.
void http_worker::close_window(ns now) {
    accepting_ = false;
    tally_.end_window(window_end_);
    if (drain_end_ == ns::max()) drain_end_ = window_end_ + options_.drain;
    if (!schedule_) return;
    for (std::uint64_t n = 0; n < max_unsent_listed && schedule_->peek() < window_end_; ++n) {
        tally_.unsent(schedule_->take(), now, true);
    }
    tally_.counts().unsent += schedule_->about_before(window_end_);
}

bool http_worker::over(ns now) const {
    const bool nothing_owed = tally_.counts().in_flight == 0;
    if (accepting_) return begun_ == share_ && nothing_owed;
    return nothing_owed || now >= drain_end_;
}

void http_worker::abandon(ns now) {
    while (oldest_ != none) {
        auto& s = slots_[oldest_];
        unlink(oldest_);
        tally_.abandoned(s.intended, s.sent, now, !interrupted_);
        rows_.record_unfinished(s.intended, s.sent, s.request->display);
    }
}

void http_worker::publish(ns now, bool final) {
    publish_at_ = now + publish_every;
    const bool latencies = final || (shared_.wants_latencies.load(std::memory_order_relaxed) && now >= latencies_at_);
    measure::histogram responses;
    if (latencies) {
        responses = tally_.responses();
        latencies_at_ = now + latencies_every;
    }
    const lock_guard hold(mutex_);
    published_.counts = tally_.counts();
    if (latencies) published_.responses = std::move(responses);
    if (!final) return;
    published_.samples = samples_;
    published_.end = accepting_ ? tally_.counts().last_end : window_end_;
    published_.interrupted = interrupted_;
}

http_snapshot http_worker::snapshot() const {
    const lock_guard hold(mutex_);
    return published_;
}

}  // namespace headrace::load
