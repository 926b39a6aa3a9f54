// A background thread that writes whole chunks of rows to a file descriptor, so that producing them never waits for a
// disk, a pipe or a terminal, unless a bounded queue is full.
//
// Chunks of several producers do not mix: each is written whole, in the order of push(). Every chunk must end at the
// end of a row. After a failure a regular file is cut back to its last whole row and later chunks are dropped. Threads:
// push(), recycle(), error(), stalled() from any thread; open() and close() from one. Lifetime: the descriptor stays
// the caller's and must stay open until close() has returned. Errors:   the first one is kept; a reader that closed its
// end is errc::closed. Signals (SIGPIPE, SIGINT) are blocked in
//           the thread, so a closed pipe never kills the process.
// Stop:     close() refuses new chunks, waits for the queue to drain and joins the thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/measure/fd_output.hpp>
#include <string>
#include <thread>
#include <vector>

namespace headrace::measure {

struct chunk_writer_options {
    int fd = 1;                                      ///< Standard output by default.
    std::size_t max_queue_bytes = 64 * 1024 * 1024;  ///< push() waits above this; one chunk always fits.
};

class chunk_writer {
public:
    chunk_writer() = default;
    ~chunk_writer();
    chunk_writer(const chunk_writer&) = delete;
    chunk_writer& operator=(const chunk_writer&) = delete;

    /// Starts the thread. Once per object.
    failure open(const chunk_writer_options& options);

    /// Queues a chunk; waits while the queue is full. False when it was dropped (after a failure, or closed).
    bool push(std::string chunk) HEADRACE_EXCLUDES(m_);

    /// An empty string with the capacity of a chunk written earlier, to save allocations.
    std::string recycle() HEADRACE_EXCLUDES(m_);

    /// Waits until all that was pushed is written; what is left after `patience` is dropped (errc::cancelled), so a
    /// reader that has fallen asleep cannot hold the program. Idempotent; returns the first failure.
    failure close(ns patience = ns::max()) HEADRACE_EXCLUDES(m_);

    std::error_code error() const noexcept { return {error_.load(std::memory_order_acquire), error_category()}; }
    failure why() const HEADRACE_EXCLUDES(m_);  ///< error() in words

    std::uint64_t bytes_written() const noexcept { return written_.load(std::memory_order_relaxed); }
    ns stalled() const noexcept { return ns{stalled_.load(std::memory_order_relaxed)}; }  ///< all waits in push()

private:
    void run();
    bool next_chunk(std::string& chunk) HEADRACE_EXCLUDES(m_);
    bool must_wait(std::size_t bytes) const HEADRACE_REQUIRES(m_);
    void keep_spare(std::string chunk) HEADRACE_REQUIRES(m_);
    void write_chunk(const std::string& chunk);
    void fail(failure why) HEADRACE_EXCLUDES(m_);

    fd_output out_;
    std::size_t max_queue_bytes_ = 0;
    std::thread thread_;
    std::atomic<int> error_{0};
    std::atomic<std::uint64_t> written_{0};
    std::atomic<std::int64_t> stalled_{0};

    mutable mutex m_;
    condition filled_;
    condition drained_;
    std::deque<std::string> queue_ HEADRACE_GUARDED_BY(m_);
    std::vector<std::string> spare_ HEADRACE_GUARDED_BY(m_);
    std::size_t queued_bytes_ HEADRACE_GUARDED_BY(m_) = 0;
    bool writing_ HEADRACE_GUARDED_BY(m_) = false;
    bool closing_ HEADRACE_GUARDED_BY(m_) = true;
    failure why_ HEADRACE_GUARDED_BY(m_);
};

}  // namespace headrace::measure
