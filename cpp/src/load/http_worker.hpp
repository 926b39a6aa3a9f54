// One thread of a load: its users or its share of the rate, its connections, its books.
//
// Threads:  run() on the worker's own thread; wake() and snapshot() from any.
// Lifetime: what is shared outlives it.
// Errors:   through http_shared::fail; whatever a server does is counted.
// Stop:     http_shared::stop_at and wake(), or the end of the load; run() returns then.
#pragma once

#include <headrace/base/mutex.hpp>
#include <headrace/load/arrivals.hpp>
#include <optional>
#include <queue>

#include "http_connection.hpp"
#include "http_rows.hpp"
#include "http_shared.hpp"

namespace headrace::load {

/// What a thread has to tell, at most 100 ms old; final once run() has returned.
struct http_snapshot {
    http_counts counts;
    measure::histogram responses;                    ///< while it runs: every half second, when somebody asks
    std::array<std::string, outcome_count> samples;  ///< of each kind of failure the first, in words
    ns end{0};                                       ///< of the window; 0: still open
    bool interrupted = false;
    ns cpu{0};     ///< of the thread
    ns queued{0};  ///< it was ready to run and had no core (schedstat); negative: not known
    ns ran{0};     ///< from the start to the end of its loop
};

class http_worker {
public:
    http_worker(http_shared& shared, std::size_t index);
    http_worker(const http_worker&) = delete;
    http_worker& operator=(const http_worker&) = delete;

    failure prepare() { return io_.events.open(); }
    void run();
    void wake() noexcept { io_.events.wake(); }
    http_snapshot snapshot() const HEADRACE_EXCLUDES(mutex_);
    /// After run().
    const http_tally& tally() const noexcept { return tally_; }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    struct slot {
        http_connection connection;
        const http_request* request = nullptr;
        ns intended{0}, sent{0};
        std::uint32_t before = none, after = none;  // in the list by deadline
        std::uint32_t address = 0;                  // index in the origin's addresses
        std::uint32_t tried = 0;                    // addresses, for this request
        std::uint32_t generation = 0;               // of the descriptor, so that old events can be told
        std::uint8_t failures = 0;                  // in a row
        bool retried = false;
    };
    struct user {
        std::uint32_t request = 0;  // the next one of the plan
    };
    struct appointment {
        ns when{0};
        std::uint32_t user = 0;
        bool operator>(const appointment& o) const noexcept { return when > o.when; }
    };
    using step = http_connection::step;

    // The loop.
    ns next_moment() const;
    void look_at_stop(ns now);
    void close_window(ns now);
    bool over(ns now) const;
    void handle(std::span<const epoll_event> events);
    void publish(ns now, bool final) HEADRACE_EXCLUDES(mutex_);
    void abandon(ns now);

    // Closed loop: users and their pauses.
    void seat_users();
    void keep_appointments(ns now);
    void begin_user(std::uint32_t index, ns intended, ns now);
    void begin_ready();
    /// When the user of this connection goes on.
    ns pause_until(const slot& s, outcome how, ns now);

    // Open loop: a schedule and a pool of connections.
    void open_schedule();
    void begin_what_is_due(ns now);
    std::uint32_t free_slot(std::size_t origin);

    // One request.
    std::size_t pick_request() noexcept;
    void begin(std::uint32_t index, const http_request& request, ns intended, ns now, bool waited);
    step open(std::uint32_t index);
    void follow(std::uint32_t index, step result);
    bool worth_another_try(std::uint32_t index);
    void settle(std::uint32_t index, outcome how);
    void note(const slot& s, outcome how, ns now);
    void expire(ns now);
    void link(std::uint32_t index) noexcept;
    void unlink(std::uint32_t index) noexcept;
    bool may_begin() const noexcept { return accepting_ && begun_ < share_; }
    double random() noexcept;

    http_shared& shared_;
    const http_load_options& options_;
    const std::size_t index_;
    ns window_end_;
    http_tally tally_;
    http_io io_;
    http_rows rows_;
    std::vector<slot> slots_;

    std::vector<user> users_;
    std::vector<appointment> ready_;  // without a pause
    std::priority_queue<appointment, std::vector<appointment>, std::greater<>> appointments_;

    std::optional<arrivals> schedule_;
    std::vector<std::vector<std::uint32_t>> idle_;  // by origin; the last used first
    std::vector<std::uint32_t> unused_;
    std::size_t planned_ = 0;  // index of the next request
    ns blocked_until_{-1};     // the last time that no connection was free
    bool blocked_ = false;

    std::vector<std::uint32_t> more_to_read_;
    std::uint32_t oldest_ = none, youngest_ = none;
    std::uint64_t share_;      // of the requests to send
    std::uint64_t begun_ = 0;  // all told
    std::uint64_t random_;
    std::uint32_t next_request_ = 0;
    unsigned source_ = 0;  // 0: the kernel's choice; n: 127.0.0.n
    std::uint32_t unanswered_ = 0;
    bool answered_ = false;
    bool accepting_ = true;
    bool interrupted_ = false;
    ns drain_end_ = ns::max();
    ns publish_at_{0};
    ns latencies_at_{0};
    std::array<std::string, outcome_count> samples_;

    mutable mutex mutex_;
    http_snapshot published_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::load
