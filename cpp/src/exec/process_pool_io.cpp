// Reading answers and writing calls, by whichever thread is at it; waiting as a way of reading.
#include <poll.h>

#include <algorithm>

#include "process_pool_core.hpp"

namespace headrace::exec {
namespace {

constexpr ns follower_slice = std::chrono::milliseconds{100};

timespec to_timespec(ns span) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(span);
    return {whole.count(), static_cast<long>((span - whole).count())};
}

}  // namespace

// One thread writes at a time; who comes meanwhile leaves it in `out`.
void process_pool::core::flush(process_channel& c) {
    {
        const lock_guard hold(m_);
        if (c.sending || c.blocked || c.out.empty() || !c.open()) return;
        c.sending = true;
        c.out.move_to(c.wire);
    }
    for (;;) {
        const auto done = c.wire.write(c.fd);
        const lock_guard hold(m_);
        // A dead peer is told by the end of its stream, after the answers that it still sent.
        if (done == frame_out::result::sent && !c.out.empty() && c.open()) {
            c.out.move_to(c.wire);
            continue;
        }
        c.sending = false;
        c.blocked = done == frame_out::result::blocked;
        if (c.blocked && leader_ != nullptr) kick(leader_fd_);
        if (c.blocked && engine_polls_) kick(engine_fd_);
        return;
    }
}

void process_pool::core::fill(poll_set& set, int wake_fd) const {
    set.fds.assign(1, {wake_fd, POLLIN, 0});
    set.channels.clear();
    for (const auto& c : channels_) {
        if (!c || c->fd < 0 || !c->open()) continue;
        const auto events = static_cast<short>(POLLIN | (c->blocked ? POLLOUT : 0));
        set.fds.push_back({c->fd, events, 0});
        set.channels.push_back(c);
    }
}

bool process_pool::core::poll_once(poll_set& set, ns timeout) {
    const timespec span = to_timespec(std::max(timeout, ns{0}));
    if (::ppoll(set.fds.data(), set.fds.size(), &span, nullptr) <= 0) return false;
    if (set.fds[0].revents != 0) drain_kicks(set.fds[0].fd);
    bool any = false;
    for (std::size_t i = 0; i < set.channels.size(); ++i) {
        const auto happened = set.fds[i + 1].revents;
        if (happened == 0) continue;
        any = true;
        const auto& c = set.channels[i];
        if ((happened & POLLOUT) != 0) {
            bool retry = false;
            {
                const lock_guard hold(m_);
                retry = c->blocked && !c->sending;
                if (retry) {
                    c->blocked = false;
                    c->sending = true;
                }
            }
            if (retry) {
                const auto done = c->wire.write(c->fd);
                {
                    const lock_guard hold(m_);
                    c->sending = false;
                    c->blocked = done == frame_out::result::blocked;
                }
                flush(*c);
            }
        }
        if ((happened & ~POLLOUT) != 0) read_from(c);
    }
    return any;
}

void process_pool::core::read_from(const channel_ptr& c) {
    {
        const lock_guard hold(m_);
        if (c->reading || !c->open()) return;
        c->reading = true;
    }
    std::vector<incoming> arrived;
    bool ended = false, broken = false, full = true;
    for (int rounds = 0; full && !ended && !broken && rounds < 16; ++rounds) {
        ended = c->in.read(c->fd, full) == frame_in::result::gone;
        for (incoming in;;) {
            const auto got = c->in.next(in.header, in.body);
            broken = got == frame_in::outcome::broken;
            if (got != frame_in::outcome::frame) break;
            arrived.push_back(std::move(in));
        }
    }
    left_over rest;
    {
        const lock_guard hold(m_);
        c->reading = false;
        for (auto& in : arrived) take(*c, in, rest);
        const ns now = monotonic_now();
        if (broken && c->open()) fsm_.on_breach(c->slot, "a worker wrote to its channel what is no message", now);
        if (ended && !c->ended) {
            c->ended = true;
            c->ended_at = now;
        }
        fsm_.on_round(now);
        end_turn(rest);
    }
    carry_out(std::move(rest));
}

void process_pool::core::take(process_channel& c, incoming& in, left_over& rest) {
    if (c.condemned || channels_[c.slot].get() != &c) return;
    const ns now = monotonic_now();
    switch (in.header.kind) {
        case frame_kind::ready: return fsm_.on_ready(c.slot, now);
        case frame_kind::not_ready: return fsm_.explain(c.slot, "a worker could not start: " + in.body.bytes);
        case frame_kind::value:
        case frame_kind::error: {
            process_task* const t = fsm_.on_answer(c.slot, in.header.id, now);
            if (t != nullptr && !claim_borrowed(in.body, t->request.slab)) {
                rest.failed.emplace_back(
                    t, failure::of(errc::worker_lost, options_.name + ": a worker answered with what it was not sent"));
                break;
            }
            if (t != nullptr) {
                rest.answers.push_back({t, in.header.kind == frame_kind::error, std::move(in.body)});
                return;
            }
            break;
        }
        default: break;
    }
    fsm_.on_breach(c.slot, "a worker answered what it was not asked", now);
}

bool process_pool::core::wait(process_task& t, ns timeout) {
    const ns until = timeout < ns::max() - monotonic_now() ? monotonic_now() + timeout : ns::max();
    while (!t.settled()) {
        const ns left = until - monotonic_now();
        if (left <= ns{0} || forked()) return false;
        bool leads = false;
        {
            const lock_guard hold(m_);
            if (engine_ended_ && !t.settled()) return false;
            leads = leader_ == nullptr;
            if (leads) {
                leader_ = &t;
                leader_thread_ = std::this_thread::get_id();
                ++leads_;
                if (engine_sleeps_ && engine_polls_) {  // two readers would both wake for every answer
                    engine_sleeps_ = false;
                    kick(engine_fd_);
                }
            } else {
                followers_.push_back(&t);
            }
        }
        if (leads) {
            lead(t, until);
            stop_leading();
        } else {
            follow(t, std::min(left, follower_slice));
        }
    }
    return true;
}

void process_pool::core::lead(process_task& t, ns until) {
    poll_set set;
    while (!t.settled()) {
        const ns left = until - monotonic_now();
        if (left <= ns{0}) return;
        {
            const lock_guard hold(m_);
            if (engine_ended_) return;
            fill(set, leader_fd_);
        }
        poll_once(set, std::min<ns>(left, std::chrono::seconds{1}));
    }
}

void process_pool::core::stop_leading() {
    bool wake_engine = false;
    {
        const lock_guard hold(m_);
        leader_ = nullptr;
        if (!followers_.empty()) {
            followers_.back()->word_.nudge();
        } else if (eager_ != 0 && engine_sleeps_ && !engine_polls_) {
            wake_engine = true;
            engine_sleeps_ = false;
        }
    }
    if (wake_engine) kick(engine_fd_);
}

void process_pool::core::follow(process_task& t, ns timeout) {
    t.word_.sleep(timeout);
    const lock_guard hold(m_);
    followers_.erase(std::ranges::find(followers_, &t));
}

}  // namespace headrace::exec
