// Content of a request between the I/O thread that receives it and whoever reads it: a bounded buffer and how it ends.
// Threads:  put() to tell() on the I/O thread; read(), on_readable() and why() from any.
// Lifetime: shared by connection and exchange.
// Lock:     a leaf, under which nothing large is copied, for readers hold the GIL; notices are called after its release.
#pragma once

#include <deque>
#include <functional>
#include <headrace/base/mutex.hpp>
#include <headrace/net/http_body_reader.hpp>
#include <string>

namespace headrace::net::http {

class inflow {
public:
    /// `asked`: the client sends without being told to.
    inflow(std::size_t most, bool asked) noexcept : most_(most), asked_(asked) {}

    // The I/O thread.
    /// Whether `n` bytes more may come. An empty buffer takes any number: they are one read's. False: the connection is
    /// told (exchange::read_on) when there is room.
    bool room_for(std::size_t n) HEADRACE_EXCLUDES(mutex_);
    void put(std::string bytes) HEADRACE_EXCLUDES(mutex_);
    /// The same, and the content is complete: one step, so that no reader finds the one without the other.
    void put_last(std::string bytes) HEADRACE_EXCLUDES(mutex_);
    /// No more will come. The first end counts.
    void fail(body_failure why) HEADRACE_EXCLUDES(mutex_);
    /// Calls the notice if there is something to read. Apart from put(), so that what comes together is read together.
    void tell() HEADRACE_EXCLUDES(mutex_);

    // The reader. `go_on`: the connection waits to be told.
    body_reader::result read(std::string& piece, bool& go_on) HEADRACE_EXCLUDES(mutex_);
    void on_readable(std::function<void()> ready, bool& go_on) HEADRACE_EXCLUDES(mutex_);
    body_failure why() const HEADRACE_EXCLUDES(mutex_);

private:
    void add(std::string bytes) HEADRACE_REQUIRES(mutex_);
    bool readable() const HEADRACE_REQUIRES(mutex_) { return ended_ || !waiting_.empty(); }

    static constexpr std::size_t merge_up_to = 4096;  // a drop at a time must not cost a string for each
    const std::size_t most_;
    mutable mutex mutex_;
    std::deque<std::string> waiting_ HEADRACE_GUARDED_BY(mutex_);
    std::size_t bytes_ HEADRACE_GUARDED_BY(mutex_) = 0;  // of them
    std::function<void()> notice_ HEADRACE_GUARDED_BY(mutex_);
    body_failure why_ HEADRACE_GUARDED_BY(mutex_) = body_failure::none;
    bool ended_ HEADRACE_GUARDED_BY(mutex_) = false;
    bool paused_ HEADRACE_GUARDED_BY(mutex_) = false;
    bool asked_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::net::http
