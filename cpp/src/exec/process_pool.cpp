#include <headrace/exec/process_pool.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <headrace/exec/thread_pool.hpp>
#include <iterator>
#include <random>
#include <stdexcept>
#include <system_error>

#include "process_pool_core.hpp"

namespace headrace::exec {
namespace {

process_options completed(process_options o) {
    if (o.workers == 0) o.workers = usable_cores();
    return o;
}

}  // namespace

process_pool::core::core(process_options options)
    : options_(completed(std::move(options))),
      port_(*this),
      fsm_(options_, port_, std::random_device{}()),
      channels_(2 * options_.workers),
      doomed_(2 * options_.workers) {
    engine_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    leader_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine_fd_ < 0 || leader_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    {
        const lock_guard hold(m_);
        fsm_.open(monotonic_now());
    }
    engine_ = std::thread([this] { run(); });
}

process_pool::core::~core() {
    shut_down();
    ::close(engine_fd_);
    ::close(leader_fd_);
}

void process_pool::core::shut_down() {
    kill();
    engine_.join();
}

failure process_pool::core::submit(process_task& t) {
    if (forked()) return failure::of(errc::forked, options_.name + ": was made before fork(); make a new one");
    left_over rest;
    failure why;
    {
        const lock_guard hold(m_);
        why = fsm_.submit(t, monotonic_now());
        if (!why && t.eager) {
            t.counted_eager_ = true;
            ++eager_;
        }
        end_turn(rest);
    }
    carry_out(std::move(rest));
    return why;
}

bool process_pool::core::cancel(process_task& t) {
    if (forked()) return false;
    left_over rest;
    bool gone = false;
    {
        const lock_guard hold(m_);
        gone = fsm_.cancel(t);
        if (gone) forget_eager(t);
        fsm_.on_round(monotonic_now());
        end_turn(rest);
    }
    carry_out(std::move(rest));
    return gone;
}

void process_pool::core::hasten(process_task& t) {
    if (forked()) return;
    left_over rest;
    {
        const lock_guard hold(m_);
        if (t.over_ || t.eager) return;
        t.eager = t.counted_eager_ = true;
        ++eager_;
        end_turn(rest);
    }
    carry_out(std::move(rest));
}

bool process_pool::core::wait_room(ns timeout) {
    if (forked()) return true;  // submit() says so
    const ns until = monotonic_now() + timeout;
    const lock_guard hold(m_);
    while (!fsm_.has_room() && !fsm_.closed()) {
        const ns left = until - monotonic_now();
        if (left <= ns{0}) return false;
        ++waiting_for_room_;
        room_.wait_for(m_, left);
        --waiting_for_room_;
    }
    return true;
}

void process_pool::core::close(stop_mode mode) {
    if (forked()) return;
    left_over rest;
    {
        const lock_guard hold(m_);
        fsm_.close(mode, monotonic_now());
        rest.kick_engine = true;
        room_.notify_all();
        end_turn(rest);
    }
    carry_out(std::move(rest));
}

void process_pool::core::kill() {
    if (forked()) return;
    left_over rest;
    {
        const lock_guard hold(m_);
        fsm_.kill_all(monotonic_now());
        rest.kick_engine = true;
        room_.notify_all();
        end_turn(rest);
    }
    carry_out(std::move(rest));
}

bool process_pool::core::wait_closed(ns timeout) {
    if (forked()) return true;
    const ns until = monotonic_now() + timeout;
    const lock_guard hold(m_);
    while (!engine_ended_) {
        const ns left = until - monotonic_now();
        if (left <= ns{0}) return false;
        ended_.wait_for(m_, left);
    }
    return true;
}

bool process_pool::core::closed() const {
    if (forked()) return true;
    const lock_guard hold(m_);
    return fsm_.closed();
}

process_counters process_pool::core::stats() const {
    if (forked()) return {};
    const lock_guard hold(m_);
    return fsm_.counters();
}

std::vector<pid_t> process_pool::core::pids() const {
    std::vector<pid_t> out;
    if (forked()) return out;
    const lock_guard hold(m_);
    for (const auto& c : channels_) {
        if (c && c->pid != 0) out.push_back(c->pid);
    }
    return out;
}

void process_pool::core::forget_eager(process_task& t) {
    t.over_ = true;
    if (std::exchange(t.counted_eager_, false)) --eager_;
}

bool process_pool::core::must_kick_engine() const {
    if (!engine_sleeps_) return false;  // it looks before it sleeps
    if (!to_start_.empty() || anything_to_reap()) return true;
    const bool somebody_reads = engine_polls_ || leader_ != nullptr;
    if (!somebody_reads && eager_ != 0) return true;
    return fsm_.next_tick() < engine_until_;
}

void process_pool::core::end_turn(left_over& rest) {
    rest.flush = std::exchange(to_flush_, {});
    std::ranges::move(fsm_.take_failed(), std::back_inserter(rest.failed));
    const bool foreign = leader_ != nullptr && leader_thread_ != std::this_thread::get_id();
    for (const auto& [task, why] : rest.failed) {
        forget_eager(*task);
        rest.kick_leader = rest.kick_leader || (foreign && task == leader_);
    }
    for (const auto& a : rest.answers) {
        forget_eager(*a.task);
        rest.kick_leader = rest.kick_leader || (foreign && a.task == leader_);
    }
    if (waiting_for_room_ != 0 && fsm_.has_room()) room_.notify_all();
    rest.kick_engine = (rest.kick_engine && engine_sleeps_) || must_kick_engine();
    if (rest.kick_engine) engine_sleeps_ = false;
}

void process_pool::core::carry_out(left_over&& rest) {
    for (const auto& c : rest.flush) flush(*c);
    for (auto& a : rest.answers) a.task->answered(a.raised, std::move(a.body));
    for (const auto& [task, why] : rest.failed) task->failed(why);
    if (rest.kick_engine) kick(engine_fd_);
    if (rest.kick_leader) kick(leader_fd_);
}

void process_pool::core::kick(int fd) noexcept {
    const std::uint64_t one = 1;
    // A full counter is a kick as well.
    [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
}

void process_pool::core::drain_kicks(int fd) noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(fd, &count, sizeof count);
}

process_pool::process_pool(process_options options) {
    if (const auto bad = process_options::check(options)) throw std::invalid_argument(bad.message);
    core_ = std::make_unique<core>(std::move(options));
}

process_pool::~process_pool() {
    // The child has none of the parent's threads, and its locks may be held for ever: the copy is left alone.
    if (core_->forked()) static_cast<void>(core_.release());
}

failure process_pool::submit(process_task& t) {
    return core_->submit(t);
}
bool process_pool::cancel(process_task& t) {
    return core_->cancel(t);
}
bool process_pool::wait(process_task& t, ns timeout) {
    return core_->wait(t, timeout);
}
void process_pool::hasten(process_task& t) {
    core_->hasten(t);
}
bool process_pool::wait_room(ns timeout) {
    return core_->wait_room(timeout);
}
void process_pool::close(stop_mode mode) {
    core_->close(mode);
}
void process_pool::kill() {
    core_->kill();
}
bool process_pool::wait_closed(ns timeout) {
    return core_->wait_closed(timeout);
}
bool process_pool::closed() const {
    return core_->closed();
}
bool process_pool::forked() const noexcept {
    return core_->forked();
}
process_counters process_pool::stats() const {
    return core_->stats();
}
std::vector<pid_t> process_pool::pids() const {
    return core_->pids();
}

}  // namespace headrace::exec
