// What becomes of the requests of one route: admit, wait, start, answer, give up. The decisions that all executors share.
//
// At most `concurrency` requests are with the executor; `max_queue_size` more wait, first in first out. Each is answered once:
// by its handler, by its deadline, or not at all when the client left first. A handler that cannot be stopped goes on after
// its request was answered otherwise; it keeps its place until it ends, and is counted when it does.
// Threads:  pure; one at a time. `now` never goes back.
// Lifetime: borrows entries from admit() until finish(), or until they come out of cancel(), expire() or close() as dropped.
// Errors:   none; admit() says why not.
// Stop:     close() refuses what comes and gives up what waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/policies.hpp>
#include <utility>
#include <vector>

namespace headrace::http {

struct route_options {
    std::size_t concurrency = 1;                ///< requests that its executor has at once. 0 is refused
    std::size_t max_queue_size = 1000;          ///< requests that wait beyond those. 0: none waits
    full_policy on_full = full_policy::reject;  ///< `reject` or `drop_oldest`; a server does not wait
    ns deadline{0};                             ///< from the request's head to its answer. 0: none
};

struct route_counters {
    std::uint64_t requests = 0;
    std::uint64_t replied = 0;    ///< answers of handlers
    std::uint64_t finished = 0;   ///< runs of the handler that ended, also those whose answer nobody wanted any more
    std::uint64_t failed = 0;     ///< of these, those that raised
    std::uint64_t refused = 0;    ///< 503
    std::uint64_t timed_out = 0;  ///< 504
    std::uint64_t cancelled = 0;  ///< the client left first
    std::uint64_t lost = 0;       ///< 502
    std::uint64_t detached = 0;   ///< accepted to be run after their answer
    std::uint64_t detached_finished = 0;
    std::size_t waiting = 0;  ///< now, like the next one
    std::size_t running = 0;
};

class route_entry {
public:
    route_entry() = default;
    route_entry(const route_entry&) = delete;
    route_entry& operator=(const route_entry&) = delete;
    /// Work that nobody waits for; set before admit().
    bool detached = false;
    /// Its client has got an answer, or wants none.
    bool answered() const noexcept { return answered_; }
    /// Monotonic; ns::max() when there is none.
    ns deadline() const noexcept { return deadline_; }

private:
    friend class route_queue;
    enum class state : std::uint8_t { outside, waiting, started, running };
    state state_ = state::outside;
    bool answered_ = false;
    ns deadline_ = ns::max();
    ns began_{0};
    route_entry* next_ = nullptr;
    route_entry* previous_ = nullptr;
};

class route_queue {
public:
    explicit route_queue(const route_options& o) : options_(o) {}

    enum class admission : std::uint8_t { start, wait, refuse };
    /// `start`: give it to the executor now. `dropped` is refused in its place; null mostly.
    admission admit(route_entry& e, ns now, route_entry*& dropped);
    /// The next one for the executor, or null.
    route_entry* take_next() noexcept;
    /// The executor is about to run it. False: it was answered already and is dropped; take_next() may have another.
    bool begin(route_entry& e, ns now) noexcept;

    enum class outcome : std::uint8_t {
        good,
        raised,
        lost,     ///< its worker ended
        late,     ///< the executor stopped it at its deadline
        refused,  ///< the executor did not take it
    };
    /// It has ended and leaves. True: the answer is to be sent.
    bool finish(route_entry& e, outcome how, ns now) noexcept;
    /// The handler answers before it has ended (a stream). True: the answer is to be sent, and finish() will say false.
    bool claim_answer(route_entry& e) noexcept;

    enum class cancelled : std::uint8_t { dropped, stop, nothing };
    /// The client left. `stop`: the executor has it; tell it.
    cancelled cancel(route_entry& e) noexcept;

    struct expired {
        route_entry* entry;
        bool stop;  ///< the executor has it; tell it. Otherwise it is dropped.
    };
    /// Those whose deadline has passed: to be answered 504.
    std::vector<expired> expire(ns now);
    ns next_deadline() const noexcept;

    /// What waits and is given up, to be answered 503.
    std::vector<route_entry*> close();
    bool idle() const noexcept { return counters_.waiting == 0 && counters_.running == 0; }

    /// Whole seconds, at least 1: when a place should be free, from the queue, the mean time of a run and the concurrency.
    std::uint64_t retry_after() const noexcept;
    const route_counters& counters() const noexcept { return counters_; }

private:
    struct list {
        route_entry* first = nullptr;
        route_entry* last = nullptr;
        void push(route_entry& e) noexcept;
        void remove(route_entry& e) noexcept;
    };
    void start(route_entry& e) noexcept;
    void leave(route_entry& e) noexcept;

    const route_options options_;
    list waiting_, active_;
    double mean_seconds_ = 0;  // of a run, moving
    bool closed_ = false;
    route_counters counters_;
};

}  // namespace headrace::http
