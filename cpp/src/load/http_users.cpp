// http_worker: who begins a request when. Users with pauses (closed loop) or a schedule with a pool of connections (open).
#include <algorithm>
#include <cmath>

#include "http_worker.hpp"

namespace headrace::load {
namespace {

// After a failure a user tries again soon, and ever less soon: a server that is down is not to be flooded, nor is a
// core to be burnt on it.
constexpr ns first_pause = std::chrono::milliseconds{1};
constexpr unsigned most_doublings = 7;
// Requests begun before the sockets get a turn.
constexpr int max_burst = 256;

}  // namespace

// SplitMix64, as in measure/pacer.cpp; in [0, 1).
double http_worker::random() noexcept {
    std::uint64_t z = (random_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

std::size_t http_worker::pick_request() noexcept {
    const auto n = shared_.plan.requests.size();
    if (options_.random_order) return static_cast<std::size_t>(random() * static_cast<double>(n));
    const auto now = next_request_;
    next_request_ = static_cast<std::uint32_t>((now + options_.threads) % n);
    return now;
}

void http_worker::seat_users() {
    const auto n = shared_.plan.requests.size();
    for (std::size_t i = 0; i < users_.size(); ++i) {
        const auto seat = i * options_.threads + index_;  // among all users
        users_[i].request = static_cast<std::uint32_t>(seat % n);
        const auto share = static_cast<double>(seat) / static_cast<double>(options_.users);
        const ns late{std::llround(static_cast<double>(options_.ramp.count()) * share)};
        appointments_.push({shared_.start + late, static_cast<std::uint32_t>(i)});
    }
}

void http_worker::keep_appointments(ns now) {
    for (int n = 0; n < max_burst && may_begin() && !appointments_.empty(); ++n) {
        const auto next = appointments_.top();
        if (next.when > now || next.when >= window_end_) return;
        appointments_.pop();
        begin_user(next.user, next.when, now);
    }
}

void http_worker::begin_ready() {
    while (!ready_.empty()) {
        const auto next = ready_.back();
        ready_.pop_back();
        if (may_begin() && next.when < window_end_) begin_user(next.user, next.when, next.when);
    }
}

// A user goes through the list in order, from a place of its own, with one connection to each server.
void http_worker::begin_user(std::uint32_t index, ns intended, ns now) {
    auto& u = users_[index];
    const auto& requests = shared_.plan.requests;
    const auto which = options_.random_order ? pick_request() : u.request;
    u.request = static_cast<std::uint32_t>((u.request + 1) % requests.size());
    const auto place = index * shared_.plan.origins.size() + requests[which].origin;
    begin(static_cast<std::uint32_t>(place), requests[which], intended, now, false);
}

ns http_worker::pause_until(const slot& s, outcome how, ns now) {
    if (no_answer(how) && how != outcome::timed_out) {
        return now + first_pause * (1U << std::min<unsigned>(s.failures - 1U, most_doublings));
    }
    if (options_.think_most == ns{0}) return now;
    const auto span = static_cast<double>((options_.think_most - options_.think_least).count());
    return now + options_.think_least + ns{std::llround(span * random())};
}

void http_worker::open_schedule() {
    // Threads take turns in one schedule: thread i starts i/rate later and runs at rate/threads.
    const auto threads = static_cast<double>(options_.threads);
    const ns offset{std::llround(1e9 / options_.rate * static_cast<double>(index_))};
    schedule_.emplace(arrivals::settings{.rate = options_.rate / threads,
                                         .start = shared_.start,
                                         .offset = offset,
                                         .ramp = options_.ramp,
                                         .kind = options_.arrivals,
                                         .seed = options_.seed + index_,
                                         .most = share_});
    planned_ = pick_request();
}

void http_worker::begin_what_is_due(ns now) {
    if (!may_begin()) return;
    blocked_ = false;
    for (int n = 0; n < max_burst && schedule_->peek() <= now && schedule_->peek() < window_end_; ++n) {
        const auto& request = shared_.plan.requests[planned_];
        const auto index = free_slot(request.origin);
        if (index == none) {
            blocked_ = true;
            blocked_until_ = now;
            return;
        }
        planned_ = pick_request();
        const ns intended = schedule_->take();
        begin(index, request, intended, monotonic_now(), intended <= blocked_until_);
    }
}

// An idle connection to this server, a new one, or the place of an idle one to another server.
std::uint32_t http_worker::free_slot(std::size_t origin) {
    const auto pop = [](std::vector<std::uint32_t>& from) {
        const auto index = from.back();
        from.pop_back();
        return index;
    };
    if (!idle_[origin].empty()) return pop(idle_[origin]);
    if (!unused_.empty()) return pop(unused_);
    for (auto& others : idle_) {
        if (others.empty()) continue;
        const auto index = pop(others);
        slots_[index].connection.close();
        return index;
    }
    return none;
}

}  // namespace headrace::load
