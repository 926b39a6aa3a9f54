// What the produce and the consume program share: workers on I/O threads of their own, rows to CSV and segment, a start
// that all workers keep, a stop that loses no row, and figures while it runs.
//
//     program.open(); program.wait_connected(...); program.start(at); while (!program.wait(100ms)) ...; program.close();
//
// Threads:  one owner calls these functions; workers run on their I/O threads and report through the protected ones.
// Errors:   the first failure of any worker or sink stops the program; failed() and close() tell it.
// Stop:     stop() sends nothing more and finishes within `stop_grace`; close() joins everything.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <headrace/base/mutex.hpp>
#include <headrace/measure/chunk_writer.hpp>
#include <headrace/measure/csv_writer.hpp>
#include <headrace/measure/histogram.hpp>
#include <headrace/measure/segment_writer.hpp>
#include <headrace/mq/message.hpp>
#include <headrace/net/runtime.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headrace::mq {

struct program_options {
    std::string url;
    std::string topic;
    std::size_t threads = 1;  ///< workers, each with its own connection; 0 is refused
    std::size_t batch = 0;    ///< messages per broker request; 0 and 1: each its own
    int csv_fd = -1;          ///< where the CSV goes; -1: nowhere
    std::string segment;      ///< "<segment>-<worker>.seg" are written; empty: none
    measure::detail_level detail = measure::detail_level::full;
    clock_anchor anchor;                          ///< all zero: taken when opened
    ns give_up_after = std::chrono::seconds{30};  ///< without a broker
};

/// Counters of a program or of one worker. Times are sums over workers.
struct program_progress {
    std::uint64_t sent = 0, acked = 0, failed = 0;  // produce
    std::uint64_t received = 0, receive_acked = 0;  // consume
    std::uint64_t redelivered = 0, duplicates = 0;  // consume
    std::uint64_t in_flight = 0;                    // sent or received, not acked
    std::uint64_t payload_bytes = 0;
    ns window_full{0};     // time in which work was due and the window full
    ns first{0}, last{0};  // of sends or receipts, and of acks; 0: none yet
    link_counters link;

    void add(const program_progress& other);
};

/// What is known at the end, merged over workers.
struct program_histograms {
    measure::histogram service;   ///< sent to acked; received to receive_acked
    measure::histogram response;  ///< intended to acked
    measure::histogram lateness;  ///< intended to sent
    void merge(const program_histograms& other);
};

class program {
public:
    static constexpr ns stop_grace = std::chrono::milliseconds{500};

    explicit program(program_options options);
    virtual ~program();
    program(const program&) = delete;
    program& operator=(const program&) = delete;

    /// Checks every option, opens files, begins to connect.
    failure open();
    /// True when every worker is connected, or failed() says why not.
    bool wait_connected(ns timeout);
    /// All workers begin at `at` (monotonic; the past means now).
    void start(ns at);
    /// True when every worker has finished.
    bool wait(ns timeout);
    void stop();
    /// Joins the threads and closes the files. Idempotent; the first failure.
    failure close();

    failure failed() const;
    bool stopping() const noexcept { return stopping_.load(std::memory_order_acquire); }
    program_progress progress() const;
    program_histograms histograms() const;
    ns cpu_time() const;
    const program_options& options() const noexcept { return options_; }

    class worker;

protected:
    virtual failure check() const = 0;
    virtual measure::row_kind kind() const = 0;
    virtual failure make_worker(std::size_t index, net::io_thread& thread, std::unique_ptr<worker>& out) = 0;
    /// Every 50 ms on each worker's thread, while it runs.
    virtual void on_tick(worker&) {}
    void for_each_worker(const std::function<void(worker&)>& f);
    /// The first one is kept; stops the program.
    void fail(failure why);

private:
    friend class worker;
    void worker_connected();
    void worker_finished();

    program_options options_;
    std::shared_ptr<net::runtime> runtime_;
    measure::chunk_writer csv_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::atomic<bool> stopping_{false};
    ns final_cpu_{0};
    bool closed_ = false;

    mutable mutex mutex_;
    mutable condition changed_;
    std::size_t connected_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::size_t finished_ HEADRACE_GUARDED_BY(mutex_) = 0;
    failure failure_ HEADRACE_GUARDED_BY(mutex_);
};

/// One worker: its rows, counters and timers. Subclasses add the link.
/// Threads:  its I/O thread, except progress() and histograms().
class program::worker {
public:
    worker(program& owner, std::size_t index, net::io_thread& thread);
    virtual ~worker();

    failure open_sinks(const program_options& options, measure::row_kind kind, measure::chunk_writer& csv);
    virtual void open() = 0;
    void start(ns at);
    void stop();
    net::io_thread& thread() noexcept { return thread_; }
    program_progress progress() const;
    program_histograms histograms() const;
    failure close_sinks();

protected:
    virtual void on_start() = 0;
    /// Nothing new from here on; call finish() when nothing is owed.
    virtual void on_stop() = 0;
    /// stop_grace is over: write the rows of what is still owed.
    virtual void on_abandon() = 0;
    virtual void close_link() = 0;
    virtual link_counters link_stats() const = 0;

    enum class phase { connecting, ready, running, stopping, finished };
    bool running() const noexcept { return phase_ == phase::running; }
    bool active() const noexcept { return phase_ == phase::running || phase_ == phase::stopping; }
    void connected();
    void finish();
    void fail(failure why);

    template <class Row>
    void record(const Row& row) {
        if (csv_) csv_->record(row);
        if (segment_) segment_->record(row);
    }

    program& owner_;
    const std::size_t index_;
    net::io_thread& thread_;
    program_progress counted_;
    program_histograms histograms_;

private:
    void begin();
    void arm_tick();
    void tick();
    void publish();
    bool sinks_failed();

    phase phase_ = phase::connecting;
    boost::asio::steady_timer start_timer_;
    boost::asio::steady_timer tick_timer_;
    boost::asio::steady_timer grace_timer_;
    std::unique_ptr<measure::csv_writer> csv_;
    std::unique_ptr<measure::segment_writer> segment_;

    mutable mutex mutex_;
    program_progress published_ HEADRACE_GUARDED_BY(mutex_);
    program_histograms published_histograms_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::mq
