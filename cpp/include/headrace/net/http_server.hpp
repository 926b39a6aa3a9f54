// The HTTP/1.1 server core: listeners, connections, routes, and answers from any thread.
//
// Each I/O thread of the runtime accepts for itself (SO_REUSEPORT) and keeps its connections. Requests of one connection
// are answered in order; the answers of what one read brought leave in one write. Handlers run on the I/O thread: they
// answer there, or defer() and answer later from any thread.
//
// Threads:  route() before start(), from one thread; start(), stop(), stats() from any. Handlers run on I/O threads, for
//           several connections at once when there are several threads.
// Lifetime: the server holds its runtime. `pending` and `body_stream` may outlive it; they then do nothing.
// Errors:   failure from route() and start(); everything that happens on the wire is counted and answered.
// Stop:     stop(grace) accepts no more, finishes what was asked, with Connection: close, and closes what is left after
//           `grace`. Returns when every connection is gone. The destructor is stop(0).
#pragma once

#include <cstdint>
#include <functional>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/net/http_body_reader.hpp>
#include <headrace/net/http_counters.hpp>
#include <headrace/net/http_request_parser.hpp>
#include <headrace/net/http_response_writer.hpp>
#include <headrace/net/http_router.hpp>
#include <headrace/net/runtime.hpp>
#include <headrace/net/websocket_connection.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace headrace::net::http {

struct server_options {
    std::string host = "127.0.0.1";  ///< an address, or a name that resolves to one; "::" and "0.0.0.0" for all
    std::uint16_t port = 0;          ///< 0: a free one; see server::port()
    bool share_port = false;         ///< with other processes that say so too (SO_REUSEPORT)
    int backlog = 1024;              ///< connections that the kernel keeps for us to accept
    std::string cert_file;           ///< PEM chain; empty: no TLS
    std::string key_file;            ///< PEM; empty: in cert_file
    parse_limits limits;
    std::size_t max_connections = 20000;            ///< of all threads; one more is answered 503
    std::size_t max_requests_per_connection = 0;    ///< the last is answered with Connection: close. 0: no limit
    std::size_t max_pipelined = 64 * 1024;          ///< bytes read ahead while an answer is owed
    std::size_t max_stream_buffered = 1024 * 1024;  ///< bytes of a streamed response that wait for the client
    std::size_t max_body_buffered =
        256 * 1024;                       ///< bytes of streamed content that wait for its reader; one read's at least
    std::uint64_t max_streamed_body = 0;  ///< of limits.max_body, for streamed content. 413. 0: no limit
    ns header_timeout = std::chrono::seconds{20};  ///< from the first byte of a request to the end of its head. 408
    ns idle_timeout = std::chrono::seconds{75};    ///< between requests
    ns body_timeout = std::chrono::seconds{10};    ///< span over which content must come at min_rate. 408
    ns write_timeout = std::chrono::seconds{10};   ///< span over which the client must read at min_rate
    ns linger_timeout = std::chrono::seconds{2};   ///< for the client to end its side after our last answer
    ns websocket_ping_interval =
        std::chrono::seconds{30};          ///< of silence: then a ping, and as long again for an answer
    std::uint64_t min_rate = 500;          ///< bytes per second: the floor for slow clients
    bool cancel_on_half_close = true;      ///< a client that ends its side while an answer is owed has left
    std::string server_name = "headrace";  ///< of the Server field; empty: none
    std::string access_log;                ///< file to append to; empty: none
    std::size_t max_access_log_buffered = 1024 * 1024;  ///< bytes; lines that do not fit are dropped and counted
};

/// A request while its handler runs. Everything is a view into the connection's buffer.
struct request {
    const request_head& head;
    std::string_view body;
    std::span<const router::param> params;
    bool body_follows = false;  ///< `body` is empty; see pending::content(). For routes of body_mode::streamed only.

    /// A path parameter; empty when the pattern has none of that name.
    std::string_view param(std::string_view name) const noexcept;
};

/// Where a client connects from.
struct peer_address {
    std::string host;
    std::uint16_t port = 0;
};

/// A response that is written as it is made. Any thread, one at a time.
class body_stream {
public:
    enum class result : std::uint8_t {
        ok,
        full,  ///< Not taken: max_stream_buffered bytes wait for the client. Try again after on_writable().
        gone,  ///< The client left, or the server stopped.
    };
    explicit body_stream(std::shared_ptr<exchange> shared) noexcept;
    body_stream(body_stream&&) noexcept;
    body_stream& operator=(body_stream&&) noexcept;
    /// A stream that was not finished ends the connection, so that the client can tell.
    ~body_stream();

    result write(std::string bytes);
    /// Calls `ready` once, on the I/O thread, when there is room again after `full`, or the client has left.
    void on_writable(std::function<void()> ready);
    void finish();
    /// As of `pending`, of which it is the rest.
    bool cancelled() const noexcept;
    void on_cancel(std::function<void()> notice);

private:
    std::shared_ptr<exchange> shared_;
};

/// A request that will be answered later. Any thread, one at a time.
class pending {
public:
    explicit pending(std::shared_ptr<exchange> shared) noexcept;
    pending(pending&&) noexcept;
    pending& operator=(pending&&) noexcept;
    /// One that was not answered is answered 500.
    ~pending();

    /// The answer. False when the client has left; what is answered then goes nowhere.
    bool send(response r);
    /// The head of an answer whose content follows.
    body_stream stream(response head);
    /// Answers a WebSocket handshake, which check_handshake() finds good: 101 with `fields`, and then `events` is called.
    /// False when the client has left, or a field may not be sent.
    bool accept_websocket(const request_head& handshake, const response& fields, std::string_view protocol,
                          std::shared_ptr<websocket::listener> events, websocket::connection_options options);
    /// The reading side of a request whose body_follows; of another one it is at its end. Once, before the answer.
    body_reader content();
    bool cancelled() const noexcept;
    /// Calls `notice` once, on the I/O thread (or here, when it already happened), when the client leaves first, or its
    /// content cannot be read to its end.
    void on_cancel(std::function<void()> notice);

private:
    std::shared_ptr<exchange> shared_;
};

/// While one lives, what its thread answers is kept back; it leaves together when the last one ends, or at flush(): one
/// wake-up of each I/O thread for many answers.
class answer_burst {
public:
    answer_burst() noexcept;
    ~answer_burst();
    answer_burst(const answer_burst&) = delete;
    answer_burst& operator=(const answer_burst&) = delete;
    /// Of this thread's, if there is one.
    static void flush();
};

/// What a handler answers with, while it runs. One of send(), defer() and accept_websocket(), once.
class responder {
public:
    virtual ~responder() = default;
    virtual void send(unsigned status, std::string_view content_type, std::string_view body) = 0;
    virtual void send(response r) = 0;
    virtual pending defer() = 0;
    /// Answers the handshake: 101, or what RFC 6455 says when it is bad. True when `events` will be called.
    virtual bool accept_websocket(std::shared_ptr<websocket::listener> events,
                                  const websocket::connection_options& options) = 0;
    /// The thread that it runs on.
    virtual io_thread& thread() noexcept = 0;
    /// Empty when it has left already.
    virtual const peer_address& peer() = 0;
};

using handler = std::function<void(const request&, responder&)>;

/// When a handler runs.
enum class body_mode : std::uint8_t {
    whole,     ///< When the content has arrived; max_body bounds it.
    streamed,  ///< When the head has; content that came with it, or none, is there whole. Handshakes wait for theirs.
};

class server {
public:
    static failure make(server_options options, std::shared_ptr<runtime> threads, std::shared_ptr<server>& out);
    virtual ~server() = default;

    /// See router for patterns. What a handler throws is answered 500.
    virtual failure route(std::string_view method, std::string_view pattern, handler h,
                          body_mode how = body_mode::whole) = 0;
    /// For every request that no route takes, of any method but CONNECT.
    virtual failure route_rest(handler h, body_mode how = body_mode::whole) = 0;
    /// Binds and listens on every thread; connection_failed when the port is taken.
    virtual failure start() = 0;
    /// The port that start() bound.
    virtual std::uint16_t port() const = 0;
    /// The first half of stop(), which does not wait.
    virtual void begin_stop(ns grace) = 0;
    /// The second half: false when connections are still open after `timeout`. Not from an I/O thread.
    virtual bool wait_stopped(ns timeout) = 0;
    void stop(ns grace) {
        begin_stop(grace);
        while (!wait_stopped(std::chrono::seconds{1})) {
        }
    }
    virtual server_stats stats() const = 0;
};

}  // namespace headrace::net::http
