// A deferred request, shared between the I/O thread that owns its connection and the thread that will answer it.
//
// The answering side posts commands to the mailbox of the I/O thread, one wake-up per burst; the I/O thread tells back
// what the client does through flags. A command for a connection that has gone, or that is at a later request, is dropped
// there: an answer can never reach another request.
// Threads:  post() and the flags from any; everything else on the I/O thread.
// Lifetime: the mailbox holds the runtime, so its thread outlives every exchange.
// Lock:     mailbox and exchange have a leaf lock each; callbacks run after it was released.
#pragma once

#include <atomic>
#include <functional>
#include <headrace/base/mutex.hpp>
#include <headrace/net/http_response_writer.hpp>
#include <headrace/net/runtime.hpp>
#include <headrace/net/websocket_connection.hpp>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "http_inflow.hpp"

namespace headrace::net::http {

class connection;
class exchange;

struct command {
    enum class what : std::uint8_t { answer, stream_head, stream_bytes, stream_end, abandon, websocket, read_on } kind;
    struct upgrade {
        std::shared_ptr<websocket::listener> events;
        websocket::connection_options options;
    };
    std::shared_ptr<exchange> to;
    response head;
    std::string bytes;
    std::unique_ptr<upgrade> socket;
};

class mailbox {
public:
    mailbox(std::shared_ptr<runtime> keeps, io_thread& thread, std::function<void()> drain)
        : runtime_(std::move(keeps)), thread_(thread), drain_(std::move(drain)) {}

    /// False when the server has stopped.
    bool post(command c) HEADRACE_EXCLUDES(mutex_);
    void post_all(std::span<command> some) HEADRACE_EXCLUDES(mutex_);
    std::vector<command> take() HEADRACE_EXCLUDES(mutex_);
    void close() HEADRACE_EXCLUDES(mutex_);

private:
    std::shared_ptr<runtime> runtime_;
    io_thread& thread_;
    const std::function<void()> drain_;
    mutex mutex_;
    std::vector<command> waiting_ HEADRACE_GUARDED_BY(mutex_);
    bool closed_ HEADRACE_GUARDED_BY(mutex_) = false;
};

class exchange : public std::enable_shared_from_this<exchange> {
public:
    exchange(std::weak_ptr<connection> owner, std::shared_ptr<mailbox> box, std::size_t max_buffered,
             std::shared_ptr<inflow> streamed)
        : content(std::move(streamed)), owner_(std::move(owner)), box_(std::move(box)), max_buffered_(max_buffered) {}

    const std::shared_ptr<inflow> content;  // nullptr: it was whole when the handler ran

    // The answering side.
    bool post(command::what kind, response head = {}, std::string bytes = {},
              std::unique_ptr<command::upgrade> socket = nullptr);
    /// The connection reads content again. At once: it is no answer, and whoever gathers answers may wait for it.
    void read_on();
    const std::shared_ptr<mailbox>& box() const noexcept { return box_; }
    bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
    bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }
    bool has_room() const noexcept { return posted_.load() + unsent_.load() < max_buffered_; }
    void count_posted(std::size_t n) noexcept { posted_ += n; }
    void on_cancel(std::function<void()> notice) HEADRACE_EXCLUDES(mutex_);
    void on_room(std::function<void()> ready) HEADRACE_EXCLUDES(mutex_);

    // The I/O thread.
    std::shared_ptr<connection> owner() const noexcept { return owner_.lock(); }
    void taken(std::size_t n) noexcept { posted_ -= n; }
    void set_unsent(std::size_t n) HEADRACE_EXCLUDES(mutex_);
    /// The client does not wait any more; an answer would still be sent. True the first time.
    bool cancel() HEADRACE_EXCLUDES(mutex_);
    /// The connection has gone, or the answer is complete: what is posted from now on is refused.
    void leave() HEADRACE_EXCLUDES(mutex_);

private:
    const std::weak_ptr<connection> owner_;
    const std::shared_ptr<mailbox> box_;
    const std::size_t max_buffered_;
    std::atomic<bool> gone_{false};
    std::atomic<bool> cancelled_{false};
    std::atomic<std::size_t> posted_{0};  // stream bytes in the mailbox
    std::atomic<std::size_t> unsent_{0};  // and in the connection
    mutex mutex_;
    std::function<void()> cancel_notice_ HEADRACE_GUARDED_BY(mutex_);
    std::function<void()> room_notice_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::net::http
