// Which call goes to which worker process, and what becomes of workers: the decisions of a process pool.
//
// One queue. A call goes to the idle worker that was used last (its caches are warm); when none is idle, workers whose
// calls are short get some ahead of time (`window`), so that they need not wait for us. A call sent ahead can be taken back
// until it has begun: an idle worker gets it when the one that has it turns out to be busy for long, and when a worker dies
// only what it had begun is lost. Answers must come in the order of the calls and with their ids; any other is a breach.
// A pool whose workers do not get ready gives up after some (the breaker) and tries again with one worker later.
// Threads:  pure; one at a time. `now` never goes back.
// Lifetime: borrows tasks (exec/process_task.hpp) and the port.
// Errors:   submit() answers why it did not take the call; calls that fail later are in take_failed().
// Stop:     close(); finished() once everything was answered and all workers have ended.
#pragma once

#include <cstdint>
#include <deque>
#include <headrace/exec/process_options.hpp>
#include <headrace/exec/process_queue.hpp>
#include <headrace/exec/process_task.hpp>
#include <headrace/net/backoff.hpp>
#include <string>
#include <utility>
#include <vector>

namespace headrace::exec {

/// What the state machine asks for. Nothing may wait here, and nothing may call back.
class worker_port {
public:
    virtual ~worker_port() = default;
    virtual void start(std::size_t slot) = 0;
    virtual void send(std::size_t slot, process_task& t) = 0;
    /// What has not begun never will; how many calls of this worker have ever begun (modulo 2^32).
    virtual std::uint32_t revoke(std::size_t slot) = 0;
    /// Ask it to tear down and end.
    virtual void finish(std::size_t slot) = 0;
    /// SIGTERM. Nothing that it says counts any more.
    virtual void terminate(std::size_t slot) = 0;
    /// SIGKILL, likewise.
    virtual void kill(std::size_t slot) = 0;
};

class process_pool_fsm {
public:
    process_pool_fsm(process_options options, worker_port& port, std::uint64_t seed);

    failure submit(process_task& t, ns now);
    /// True: it waited, and will hear nothing more. False: it has begun, may have begun, or is not here.
    bool cancel(process_task& t);
    bool has_room() const noexcept { return queue_.size() < options_.max_queue_size; }

    void on_ready(std::size_t slot, ns now);
    /// The task that was answered; null when there is none of this id whose turn it is: a breach.
    process_task* on_answer(std::size_t slot, std::uint64_t id, ns now);
    /// After a round of answers.
    void on_round(ns now) { dispatch(now); }
    /// What it says of itself before it ends.
    void explain(std::size_t slot, std::string why);
    void on_breach(std::size_t slot, std::string why, ns now);
    /// The process has ended; all that it answered was passed on.
    void on_gone(std::size_t slot, const std::string& why, ns now);
    void on_memory(std::size_t slot, std::uint64_t bytes, ns now);
    void on_tick(ns now);
    /// When on_tick() is due; ns::max(): not before something happens.
    ns next_tick() const;

    /// Starts `prestart` workers.
    void open(ns now);
    void close(stop_mode mode, ns now);
    /// What runs fails, at once.
    void kill_all(ns now);
    bool closed() const noexcept { return closed_; }
    bool finished() const;

    /// Calls that failed since the last time, in no particular order.
    std::vector<std::pair<process_task*, failure>> take_failed() { return std::exchange(failed_, {}); }
    bool any_failed() const noexcept { return !failed_.empty(); }
    process_counters counters() const;
    std::size_t slots() const noexcept { return slots_.size(); }
    bool is_ready(std::size_t slot) const { return slots_[slot].state == phase::ready; }

    static constexpr ns work_ahead = std::chrono::microseconds{500};  ///< work that a worker may have in advance
    static constexpr ns short_call = std::chrono::milliseconds{100};  ///< of longer ones nothing is sent ahead
    static constexpr ns steal_after = std::chrono::milliseconds{1};  ///< a call that runs for so long gets no followers

private:
    enum class phase : std::uint8_t { none, starting, ready, draining, finishing, dying };
    struct worker {
        phase state = phase::none;
        std::deque<process_task*> calls;  // in the order in which they were sent
        std::uint32_t answered = 0;       // ever
        std::uint64_t sent = 0;
        ns call_time{0};  // moving average; 0: not known
        ns front_since{0};
        ns last_used{0};
        ns limit = ns::max();  // of the state: to get ready, to finish, to die
        ns looked{0};          // when its calls' deadlines were looked at
        std::string reason;    // why it was stopped by us
    };

    failure of(errc code, const std::string& text) const;
    void fail(process_task& t, errc code, const std::string& text);
    void dispatch(ns now);
    worker* pick(ns now);
    std::size_t depth(const worker& w, ns now) const;
    void give(worker& w, process_task& t, ns now);
    void start_workers(ns now);
    void start_one(ns now);
    void steal(ns now);
    std::size_t begun_of(worker& w);
    void take_back(worker& w, std::size_t begun);
    void check_deadlines(worker& w, ns now);
    void check_limit(worker& w, ns now);
    void retire(worker& w, ns now);
    void finish_or_wait(worker& w, ns now);
    void condemn(worker& w, std::string why, ns now);
    void start_failed(const std::string& why, ns now);
    void wind_down(ns now);
    bool broken(ns now) const noexcept { return failures_ >= options_.breaker_failures && now < start_at_; }
    std::size_t count(phase p) const;
    std::size_t index(const worker& w) const { return static_cast<std::size_t>(&w - slots_.data()); }

    const process_options options_;
    worker_port& port_;
    process_queue queue_;
    std::vector<worker> slots_;  // two per worker: one may still be ending while its successor starts
    std::vector<std::pair<process_task*, failure>> failed_;
    net::backoff backoff_;
    std::size_t failures_ = 0;  // to get ready, in a row
    std::string last_reason_;
    ns start_at_{0};            // no worker is started before
    ns start_due_ = ns::max();  // start_at_, when somebody waits for it
    std::uint64_t last_id_ = 0;
    bool closed_ = false;
    process_counters counters_;
};

}  // namespace headrace::exec
