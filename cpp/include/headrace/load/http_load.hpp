// An HTTP load from its beginning to its figures.
//
//     http_load load(options); load.open(cancel); load.start(at); while (!load.wait(100ms)) ...; load.close(); load.result()
//
// Threads:  one owner calls these functions; progress() and stop() from any thread. Each of `threads` runs a loop of its
//           own over epoll (docs/design.md, section 10, says why not Asio's).
// Lifetime: the owner keeps csv_fd open until close() has returned.
// Errors:   open(): a setting outside its range, a name that does not resolve, a certificate that cannot be used, a limit
//           of the process. close(): nothing was ever answered; rows that could not be written. Whatever else a server
//           does is counted.
// Stop:     stop() begins nothing more and waits for nothing; wait() is true within milliseconds. close() joins.
#pragma once

#include <headrace/base/mutex.hpp>
#include <headrace/load/http_options.hpp>
#include <headrace/load/http_tally.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headrace::load {

/// What one thread spent.
struct http_thread_use {
    ns cpu{0};
    ns queued{0};  ///< ready to run, but without a core; negative: not known
    ns ran{0};
};

struct http_load_result {
    http_counts counts;
    http_histograms histograms;
    std::vector<http_second> seconds;
    std::array<std::string, outcome_count> samples;  ///< of each kind of failure the first, in words
    ns begin{0}, end{0};                             ///< of the window
    bool interrupted = false;
    std::vector<http_thread_use> threads;
    std::vector<std::string> addresses;  ///< that were used, with their ports
};

struct http_load_progress {
    http_counts counts;
    measure::histogram responses;  ///< refreshed every half second
};

class http_load {
public:
    explicit http_load(http_load_options options);
    ~http_load();
    http_load(const http_load&) = delete;
    http_load& operator=(const http_load&) = delete;

    failure open(const std::atomic<bool>& cancel);
    /// Begins at `at` (monotonic; the past means now).
    void start(ns at);
    /// True when every thread has ended.
    bool wait(ns timeout);
    void stop() noexcept;
    /// Stops, joins, closes. The first failure. Idempotent.
    failure close();

    http_load_progress progress() const;
    /// After close().
    http_load_result result() const;
    const http_load_options& options() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace headrace::load
