// One accepted WebSocket between its I/O thread and the application's loop: messages both ways, each way bounded.
//
// What arrives waits here; when there is much of it the connection is not read, which slows the peer down. What is sent is
// handed over once per burst; send says when the application should wait.
// Threads:  the listener's functions on the I/O thread; the others on the loop's thread. No GIL.
// Lifetime: shared by the cycle and the listener; the listener's end, at the latest, says that the connection is lost.
// Lock:     a leaf, except that a task is posted to the I/O thread while it is held: until on_close() has taken it the
//           connection is there, and so is its thread.
#pragma once

#include <deque>
#include <headrace/base/mutex.hpp>
#include <headrace/net/http_server.hpp>
#include <memory>
#include <optional>
#include <string>

#include "channel.hpp"

namespace headrace::bindings::asgi {

class socket_link : public std::enable_shared_from_this<socket_link> {
public:
    struct message {
        net::websocket::opcode code;
        std::string payload;
    };
    struct end {
        std::uint16_t code = net::websocket::close_code::abnormal;
        std::string reason;
    };
    static constexpr std::size_t much = 1024 * 1024;  ///< bytes that wait, either way
    static constexpr std::size_t many = 1024;         ///< messages that wait to be received

    explicit socket_link(net::io_thread& thread) noexcept : thread_(thread) {}
    std::shared_ptr<net::websocket::listener> make_listener();

    // The loop's side.
    std::optional<message> take() HEADRACE_EXCLUDES(mutex_);
    /// Set when the connection has ended and everything was taken.
    std::optional<end> ended() const HEADRACE_EXCLUDES(mutex_);
    /// False: it has ended.
    bool send(net::websocket::opcode code, std::string payload) HEADRACE_EXCLUDES(mutex_);
    bool close(std::uint16_t code, std::string reason) HEADRACE_EXCLUDES(mutex_);
    bool has_room() const HEADRACE_EXCLUDES(mutex_);
    /// Told when something can be taken, when it has ended, or when there is room.
    void on_event(std::shared_ptr<finisher> one) HEADRACE_EXCLUDES(mutex_);
    void on_room(std::shared_ptr<finisher> one) HEADRACE_EXCLUDES(mutex_);
    void lose(std::uint16_t code, std::string_view reason) HEADRACE_EXCLUDES(mutex_);

private:
    class listener;
    struct outgoing {
        net::websocket::opcode code;
        std::string payload;
        std::uint16_t close_code;
    };
    using waiters = std::vector<std::shared_ptr<finisher>>;

    bool put(outgoing what) HEADRACE_EXCLUDES(mutex_);
    void hand_over() HEADRACE_EXCLUDES(mutex_);
    void opened(std::shared_ptr<net::websocket::connection> peer) HEADRACE_EXCLUDES(mutex_);
    void arrived(net::websocket::connection& peer, net::websocket::opcode code, std::string_view payload)
        HEADRACE_EXCLUDES(mutex_);
    void progressed(std::size_t buffered) HEADRACE_EXCLUDES(mutex_);
    bool roomy() const HEADRACE_REQUIRES(mutex_) { return outgoing_bytes_ + buffered_ < much; }
    static void wake(const waiters& all) noexcept;
    static void add(waiters& to, std::shared_ptr<finisher> one);

    net::io_thread& thread_;
    mutable mutex mutex_;
    std::shared_ptr<net::websocket::connection> peer_ HEADRACE_GUARDED_BY(mutex_);  // used on its thread only
    std::deque<message> incoming_ HEADRACE_GUARDED_BY(mutex_);
    std::size_t incoming_bytes_ HEADRACE_GUARDED_BY(mutex_) = 0;
    bool paused_ HEADRACE_GUARDED_BY(mutex_) = false;
    std::vector<outgoing> outgoing_ HEADRACE_GUARDED_BY(mutex_);
    std::size_t outgoing_bytes_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::size_t buffered_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::optional<end> end_ HEADRACE_GUARDED_BY(mutex_);
    waiters for_event_ HEADRACE_GUARDED_BY(mutex_);
    waiters for_room_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::bindings::asgi
