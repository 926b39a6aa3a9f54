// The pool's own thread: workers' lives, deadlines, and reading when nobody else does.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <headrace/base/thread_setup.hpp>
#include <headrace/exec/process_spawn.hpp>

#include "process_pool_core.hpp"

namespace headrace::exec {
namespace {

constexpr ns reap_pause = std::chrono::milliseconds{1};
constexpr ns patience_with_ended = std::chrono::milliseconds{100};  // a process that closed its end and lives on
constexpr ns memory_pause = std::chrono::milliseconds{100};
constexpr ns first_patience = std::chrono::milliseconds{2};
constexpr ns most_patience = std::chrono::milliseconds{10};
constexpr ns longest_sleep = std::chrono::hours{1};

}  // namespace

void process_pool::core::port::start(std::size_t slot) {
    owner_.to_start_.push_back(slot);
    owner_.doomed_[slot] = false;
}
void process_pool::core::port::send(std::size_t slot, process_task& t) {
    const auto& c = owner_.channels_[slot];
    c->send(t, t.id_);
    owner_.to_flush_.push_back(c);
}
std::uint32_t process_pool::core::port::revoke(std::size_t slot) {
    return owner_.channels_[slot]->claims->revoke();
}
void process_pool::core::port::finish(std::size_t slot) {
    const auto& c = owner_.channels_[slot];
    c->out.add({.kind = frame_kind::finish}, {});
    owner_.to_flush_.push_back(c);
}
void process_pool::core::port::terminate(std::size_t slot) {
    signal(slot, SIGTERM);
}
void process_pool::core::port::kill(std::size_t slot) {
    signal(slot, SIGKILL);
}
void process_pool::core::port::signal(std::size_t slot, int number) {
    const auto& c = owner_.channels_[slot];
    if (c && c->pid != 0) {
        c->condemned = true;
        ::kill(c->pid, number);
    } else {
        owner_.doomed_[slot] = true;
    }
}

void process_pool::core::run() {
    set_up_thread("headrace-procs");
    poll_set set;
    while (turn_of_engine(set)) {
    }
    const lock_guard hold(m_);
    engine_ended_ = true;
    ended_.notify_all();
    if (leader_ != nullptr) kick(leader_fd_);
}

bool process_pool::core::turn_of_engine(poll_set& set) {
    start_workers();
    reap();
    left_over rest;
    bool over = false, reads = false, reaping = false;
    ns timeout{0};
    {
        const lock_guard hold(m_);
        const ns now = monotonic_now();
        if (fsm_.next_tick() <= now) fsm_.on_tick(now);
        over = fsm_.finished();
        end_turn(rest);
        reaping = anything_to_reap();
        const bool busy_leader = leader_ == nullptr && leads_ != leads_seen_;
        patience_ = busy_leader ? first_patience : std::min(2 * patience_, most_patience);
        reads = leader_ == nullptr && (eager_ != 0 || leads_ == leads_seen_);
        leads_seen_ = leads_;
        const bool must_start = !to_start_.empty();
        timeout = over || must_start || !rest.failed.empty() ? ns{0} : engine_timeout(now, reads);
        engine_sleeps_ = timeout > ns{0};
        engine_polls_ = reads;
        engine_until_ = now + timeout;
        fill(set, engine_fd_);
        if (!reads) {
            set.fds.resize(1);
            set.channels.clear();
        }
    }
    carry_out(std::move(rest));
    if (over) return false;
    poll_once(set, reaping ? std::min(timeout, reap_pause) : timeout);
    {
        const lock_guard hold(m_);
        engine_sleeps_ = engine_polls_ = false;
    }
    if (options_.max_memory != 0) look_at_memory(monotonic_now());
    return true;
}

ns process_pool::core::engine_timeout(ns now, bool reads) const {
    const ns due = fsm_.next_tick();
    ns timeout = due == ns::max() ? longest_sleep : std::clamp(due - now, ns{0}, longest_sleep);
    if (!reads) timeout = std::min(timeout, std::max(patience_, first_patience));
    if (options_.max_memory != 0 && fsm_.counters().running != 0) timeout = std::min(timeout, memory_pause);
    return timeout;
}

bool process_pool::core::anything_to_reap() const {
    return std::ranges::any_of(channels_, [](const auto& c) { return c && !c->open(); });
}

void process_pool::core::start_workers() {
    for (;;) {
        std::size_t slot = 0;
        bool doomed = false;
        {
            const lock_guard hold(m_);
            if (to_start_.empty()) return;
            slot = to_start_.back();
            to_start_.pop_back();
            doomed = doomed_[slot];
        }
        auto c = std::make_shared<process_channel>(slot);
        failure why;
        if (!doomed) why = open_channel(*c);
        left_over rest;
        {
            const lock_guard hold(m_);
            const ns now = monotonic_now();
            if (doomed || why) {
                fsm_.on_gone(slot, why ? "could not be started: " + why.message : "was not needed any more", now);
            } else {
                channels_[slot] = c;
                if (doomed_[slot]) port_.kill(slot);
                to_flush_.push_back(c);
                rest.kick_leader = leader_ != nullptr;  // it must listen to this one as well
            }
            end_turn(rest);
        }
        carry_out(std::move(rest));
    }
}

failure process_pool::core::open_channel(process_channel& c) const {
    int ends[2] = {-1, -1};
    c.claims = claim_page::make();
    if (!c.claims || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return failure::of(errc::io_error, std::strerror(errno));
    c.fd = ends[0];
    auto why = spawn_process(options_.command, options_.environment, ends[1], c.claims->fd(), c.pid);
    ::close(ends[1]);
    c.claims->close_fd();
    if (!why) c.out.add({.kind = frame_kind::hello}, options_.hello);
    return why;
}

// Those that closed their end, or were told to go.
void process_pool::core::reap() {
    std::vector<channel_ptr> ending;
    {
        const lock_guard hold(m_);
        for (const auto& c : channels_) {
            if (c && !c->open()) ending.push_back(c);
        }
    }
    for (const auto& c : ending) {
        std::string how;
        const bool dead = reap_process(c->pid, how);
        left_over rest;
        {
            const lock_guard hold(m_);
            const ns now = monotonic_now();
            if (!dead) {
                if (c->ended && !c->condemned && now - c->ended_at > patience_with_ended) ::kill(c->pid, SIGKILL);
                continue;
            }
            c->pid = 0;  // another process may have it from now on
            c->condemned = true;
            fsm_.on_gone(c->slot, how, now);
            if (channels_[c->slot] == c) channels_[c->slot].reset();
            end_turn(rest);
        }
        carry_out(std::move(rest));
    }
}

void process_pool::core::look_at_memory(ns now) {
    if (now < memory_due_) return;
    memory_due_ = now + memory_pause;
    std::vector<std::pair<std::size_t, std::uint64_t>> sizes;
    {
        const lock_guard hold(m_);
        for (const auto& c : channels_) {
            if (c && c->open() && fsm_.is_ready(c->slot)) sizes.emplace_back(c->slot, resident_bytes(c->pid));
        }
    }
    left_over rest;
    {
        const lock_guard hold(m_);
        for (const auto& [slot, bytes] : sizes) fsm_.on_memory(slot, bytes, now);
        end_turn(rest);
    }
    carry_out(std::move(rest));
}

}  // namespace headrace::exec
