// The access log: one line per answer, in the Common Log Format with the microseconds it took at the end.
//
// I/O threads append to a bounded buffer, a thread of its own writes the file; a line that does not fit is dropped and
// counted, so a slow disk never slows a request down.
// Threads:  add() from any.   Errors: open() returns them; a failing write drops and counts what it could not write.
// Stop:     the destructor writes what is left and joins.
#pragma once

#include <atomic>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/base/mutex.hpp>
#include <string>
#include <string_view>
#include <thread>

namespace headrace::net::http {

struct access_entry {
    std::string_view peer, method, target;
    unsigned minor_version = 1;
    unsigned status = 0;
    std::uint64_t bytes = 0;  ///< of the whole response
    ns took{0};
};

class access_log {
public:
    explicit access_log(std::size_t max_buffered) : max_buffered_(max_buffered) {}
    ~access_log();
    access_log(const access_log&) = delete;
    access_log& operator=(const access_log&) = delete;

    failure open(const std::string& path);
    void add(const access_entry& e, std::string_view clf_time) HEADRACE_EXCLUDES(mutex_);
    std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

private:
    void write_all() HEADRACE_EXCLUDES(mutex_);

    const std::size_t max_buffered_;
    int fd_ = -1;
    std::atomic<std::uint64_t> dropped_{0};
    mutex mutex_;
    condition changed_;
    std::string waiting_ HEADRACE_GUARDED_BY(mutex_);
    bool closed_ HEADRACE_GUARDED_BY(mutex_) = false;
    std::thread writer_;
};

/// "10/Oct/2000:13:55:36 +0000"
std::string clf_time(std::int64_t epoch_seconds);

}  // namespace headrace::net::http
