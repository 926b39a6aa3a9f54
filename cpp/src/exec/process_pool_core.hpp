// The shell of a process pool: locks, sockets, the thread. See process_pool.hpp for what it promises.
//
//   process_pool.cpp         what callers do: submit, cancel, close
//   process_pool_io.cpp      reading answers and writing calls; waiting as a way of reading
//   process_pool_engine.cpp  the pool's own thread: workers' lives, deadlines, and reading when nobody else does
#pragma once

#include <poll.h>
#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/exec/process_pool.hpp>
#include <headrace/exec/process_pool_fsm.hpp>

#include <atomic>
#include <thread>

#include "process_channel.hpp"

namespace headrace::exec {

#define HEADRACE_UNCHECKED HEADRACE_ANNOTATE(no_thread_safety_analysis)

class process_pool::core {
public:
    explicit core(process_options options);
    /// After shut_down().
    ~core();
    core(const core&) = delete;
    core& operator=(const core&) = delete;

    failure submit(process_task& t);
    bool cancel(process_task& t);
    bool wait(process_task& t, ns timeout);
    void hasten(process_task& t);
    bool wait_room(ns timeout);
    void close(stop_mode mode);
    void kill();
    bool wait_closed(ns timeout);
    bool closed() const;
    bool forked() const noexcept { return fork_generation() != generation_; }
    process_counters stats() const;
    std::vector<pid_t> pids() const;

private:
    using channel_ptr = std::shared_ptr<process_channel>;

    // The requests of the state machine: called under the lock, which clang does not see through it.
    class port final : public worker_port {
    public:
        explicit port(core& owner) : owner_(owner) {}
        void start(std::size_t slot) override HEADRACE_UNCHECKED;
        void send(std::size_t slot, process_task& t) override HEADRACE_UNCHECKED;
        std::uint32_t revoke(std::size_t slot) override HEADRACE_UNCHECKED;
        void finish(std::size_t slot) override HEADRACE_UNCHECKED;
        void terminate(std::size_t slot) override;
        void kill(std::size_t slot) override;

    private:
        void signal(std::size_t slot, int number) HEADRACE_UNCHECKED;
        core& owner_;
    };

    struct answer {
        process_task* task;
        bool raised;
        message_body body;
    };
    /// What a turn under the lock leaves to be done without it.
    struct left_over {
        std::vector<channel_ptr> flush;
        std::vector<answer> answers;
        std::vector<std::pair<process_task*, failure>> failed;
        bool kick_engine = false;
        bool kick_leader = false;
    };
    struct incoming {
        frame_header header;
        message_body body;
    };
    struct poll_set {
        std::vector<pollfd> fds;
        std::vector<channel_ptr> channels;  // fds[i + 1]
    };

    void end_turn(left_over& rest) HEADRACE_REQUIRES(m_);
    void carry_out(left_over&& rest) HEADRACE_EXCLUDES(m_);
    void forget_eager(process_task& t) HEADRACE_REQUIRES(m_);
    bool must_kick_engine() const HEADRACE_REQUIRES(m_);

    // io
    void flush(process_channel& c) HEADRACE_EXCLUDES(m_);
    void fill(poll_set& set, int wake_fd) const HEADRACE_REQUIRES(m_);
    /// False when it was only woken, or `timeout` passed.
    bool poll_once(poll_set& set, ns timeout) HEADRACE_EXCLUDES(m_);
    void read_from(const channel_ptr& c) HEADRACE_EXCLUDES(m_);
    void take(process_channel& c, incoming& in, left_over& rest) HEADRACE_REQUIRES(m_);
    void lead(process_task& t, ns until) HEADRACE_EXCLUDES(m_);
    void stop_leading() HEADRACE_EXCLUDES(m_);
    void follow(process_task& t, ns timeout) HEADRACE_EXCLUDES(m_);

    // engine
    void run();
    bool turn_of_engine(poll_set& set);
    void start_workers() HEADRACE_EXCLUDES(m_);
    failure open_channel(process_channel& c) const;
    void reap() HEADRACE_EXCLUDES(m_);
    bool anything_to_reap() const HEADRACE_REQUIRES(m_);
    void look_at_memory(ns now) HEADRACE_EXCLUDES(m_);
    ns engine_timeout(ns now, bool reads) const HEADRACE_REQUIRES(m_);
    void shut_down();

    static void kick(int fd) noexcept;
    static void drain_kicks(int fd) noexcept;

    const process_options options_;
    const std::uint32_t generation_ = fork_generation();
    int engine_fd_ = -1, leader_fd_ = -1;  // eventfds
    port port_;

    mutable mutex m_;
    condition room_, ended_;
    process_pool_fsm fsm_ HEADRACE_GUARDED_BY(m_);
    std::vector<channel_ptr> channels_ HEADRACE_GUARDED_BY(m_);  // by slot; null: none
    std::vector<std::size_t> to_start_ HEADRACE_GUARDED_BY(m_);
    std::vector<bool> doomed_ HEADRACE_GUARDED_BY(m_);  // by slot: condemned before it was started
    std::vector<channel_ptr> to_flush_ HEADRACE_GUARDED_BY(m_);
    std::size_t eager_ HEADRACE_GUARDED_BY(m_) = 0;
    std::size_t waiting_for_room_ HEADRACE_GUARDED_BY(m_) = 0;
    process_task* leader_ HEADRACE_GUARDED_BY(m_) = nullptr;  // whose waiter reads
    std::thread::id leader_thread_ HEADRACE_GUARDED_BY(m_);
    std::uint64_t leads_ HEADRACE_GUARDED_BY(m_) = 0;
    std::vector<process_task*> followers_ HEADRACE_GUARDED_BY(m_);
    bool engine_sleeps_ HEADRACE_GUARDED_BY(m_) = false;
    bool engine_polls_ HEADRACE_GUARDED_BY(m_) = false;  // workers, while it sleeps
    ns engine_until_ HEADRACE_GUARDED_BY(m_){0};
    bool engine_ended_ HEADRACE_GUARDED_BY(m_) = false;

    // The engine's own.
    std::uint64_t leads_seen_ = 0;
    ns patience_{0};  // how long it leaves reading to waiters
    ns memory_due_{0};
    std::thread engine_;
};

}  // namespace headrace::exec
