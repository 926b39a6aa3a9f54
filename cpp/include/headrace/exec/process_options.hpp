// Settings of a process pool, and what it counts.
#pragma once

#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/base/policies.hpp>
#include <headrace/exec/process_message.hpp>
#include <string>
#include <vector>

namespace headrace::exec {

struct process_options {
    std::vector<std::string>
        command;  ///< program and arguments; two descriptor numbers are appended, see process_worker
    std::vector<std::string> environment;  ///< "NAME=value"; empty: as this process has it
    message_body hello;                    ///< the first thing that a worker gets
    std::string name = "process pool";
    std::size_t workers = 0;               ///< at most; 0: one per usable core
    std::size_t prestart = 0;              ///< started at once; the others when calls wait for them
    std::size_t max_queue_size = 100'000;  ///< calls that may wait; 0 is refused
    full_policy on_full =
        full_policy::reject;  ///< `wait`: room is waited for with process_pool::wait_room() before submit
    std::size_t window = 8;   ///< calls that one worker may have, as long as they are short; 1: nothing is sent ahead
    std::uint64_t max_tasks_per_worker = 0;       ///< then it is replaced. 0: never
    std::uint64_t max_memory = 0;                 ///< resident bytes beyond which it is replaced. 0: no limit
    ns start_timeout = std::chrono::seconds{60};  ///< for a worker to get ready
    ns kill_grace = std::chrono::seconds{1};      ///< from SIGTERM to SIGKILL
    ns stop_grace = std::chrono::seconds{5};      ///< for teardown at the end
    std::size_t breaker_failures = 3;             ///< workers that did not get ready, in a row, until the pool gives up
    ns breaker_reset = std::chrono::seconds{5};   ///< then it refuses calls for so long, and tries with one worker
    ns backoff_first = std::chrono::milliseconds{50};  ///< before a worker is started again; doubles
    ns backoff_max = std::chrono::seconds{2};

    /// Empty when all is within its range.
    static failure check(const process_options& o);
};

struct process_counters {
    std::uint64_t submitted = 0;
    std::uint64_t answered = 0;   ///< by workers, also with what was raised
    std::uint64_t cancelled = 0;  ///< before they began
    std::uint64_t timed_out = 0;
    std::uint64_t lost = 0;      ///< their worker ended
    std::uint64_t refused = 0;   ///< queue full, closed, or given up
    std::uint64_t returned = 0;  ///< sent ahead and taken back, to go to another worker
    std::uint64_t started = 0;   ///< workers
    std::uint64_t crashed = 0;   ///< workers that ended unasked, or did not get ready
    std::uint64_t killed = 0;    ///< workers stopped at a deadline, or for breaking the protocol
    std::uint64_t recycled = 0;
    std::size_t waiting = 0;  ///< calls now, like the next ones
    std::size_t running = 0;  ///< calls that workers have
    std::size_t workers = 0;  ///< ready
};

}  // namespace headrace::exec
