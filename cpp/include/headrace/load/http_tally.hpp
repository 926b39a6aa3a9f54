// The books of one thread of a load: every request that was begun is in exactly one place.
//
// Counted by when it ended: before the window (`warm_up`), in it (`ok`, `failed`), after it (`late_ok`, `late_failed`), or
// never (`unfinished`). Throughput is what ended within the window; so it has no bias, however long requests take.
// Latencies are of the requests that were *meant to start* within the window, whenever they ended: those that succeeded,
// and with the time they had waited those that timed out, never ended, or could not even be sent. So slow ones cannot
// drop out of the tail.
//
// Pure: time is a parameter.   Threads: one at a time.   Errors: none.
#pragma once

#include <array>
#include <headrace/base/clock.hpp>
#include <headrace/load/outcome.hpp>
#include <headrace/measure/histogram.hpp>
#include <vector>

namespace headrace::load {

struct http_counts {
    std::uint64_t begun = 0;           ///< meant to start within the window, and sent
    std::uint64_t unsent = 0;          ///< meant to start within the window, never sent
    std::uint64_t warm_up = 0;         ///< ended before the window
    std::uint64_t warm_up_failed = 0;  ///< and of those, the failures
    std::uint64_t ok = 0, failed = 0;
    std::uint64_t late_ok = 0, late_failed = 0;
    std::uint64_t unfinished = 0;
    std::uint64_t in_flight = 0;                          ///< now
    std::uint64_t waited = 0;                             ///< found no free connection when they were due
    std::uint64_t bytes = 0;                              ///< of content received within the window
    std::uint64_t bytes_in = 0, bytes_out = 0;            ///< of HTTP, all told
    std::uint64_t connects = 0;                           ///< connections made, all told
    std::uint64_t retried = 0;                            ///< sent again because an idle connection had been closed
    std::uint64_t address_failures = 0;                   ///< another address of the same name was tried
    std::uint64_t sources = 0;                            ///< loopback addresses used when ports ran out
    std::array<std::uint64_t, 6> statuses{};              ///< by hundreds, within the window
    std::array<std::uint64_t, outcome_count> outcomes{};  ///< of what ended in the window or after it
    ns busy{0};                                           ///< time within the window, times requests in flight
    ns last_end{0};                                       ///< when the last request within the window ended

    void add(const http_counts& other) noexcept;
};

/// One second of the window.
struct http_second {
    std::uint64_t ok = 0, failed = 0, bytes = 0;
    ns longest{0};  ///< response time
};

struct http_histograms {
    measure::histogram response;  ///< intended to end
    measure::histogram service;   ///< sent to end
    measure::histogram connect;   ///< of connections made within the window, TLS included
    measure::histogram lateness;  ///< intended to sent, where a connection was free: the generator's own delay
    void merge(const http_histograms& other) noexcept;
};

class http_tally {
public:
    struct exchange {
        ns intended{0}, sent{0}, end{0};
        outcome how = outcome::ok;
        unsigned status = 0;      ///< 0: none came
        std::uint64_t bytes = 0;  ///< of content
    };

    /// The window; without an end it is open until end_window().
    http_tally(ns begin, ns end) : begin_(begin), end_(end) {}
    /// Moves the end forward to `end`; later is ignored.
    void end_window(ns end) noexcept { end_ = end < end_ ? end : end_; }

    void begun(ns intended, ns sent, bool waited) noexcept;
    void ended(const exchange& e);
    /// Still in flight when nobody waits any longer. `record`: what it has waited counts as a latency.
    void abandoned(ns intended, ns sent, ns now, bool record) noexcept;
    /// Meant to start at `intended`, never sent.
    void unsent(ns intended, ns now, bool record) noexcept;
    void connected(ns begin, ns end) noexcept;

    http_counts& counts() noexcept { return counts_; }
    const http_counts& counts() const noexcept { return counts_; }
    /// Latencies so far, merged from what was recorded apart.
    http_histograms histograms() const;
    measure::histogram responses() const;
    const std::vector<http_second>& seconds() const noexcept { return seconds_; }

private:
    bool measured(ns intended) const noexcept { return intended >= begin_ && intended < end_; }
    void record(ns intended, ns sent, ns end) noexcept;
    void add_busy(ns from, ns to) noexcept;
    http_second& second_of(ns t);

    ns begin_, end_;
    http_counts counts_;
    measure::histogram on_time_;        // intended == sent: response and service in one
    measure::histogram late_response_;  // the others
    measure::histogram late_service_;
    measure::histogram connect_, lateness_;
    std::vector<http_second> seconds_;
};

}  // namespace headrace::load
