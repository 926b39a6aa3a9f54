// One I/O thread's share of a server: its listener, its connections, their timeouts, and what they use in turn.
// Threads:  the I/O thread, except listen() (before start) and stats().
// Lifetime: connections hold it; it holds the server's settings.
// Stop:     drain(), then close_all(); `on_empty` is called when no connection is left.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <headrace/net/http_server.hpp>
#include <memory>
#include <string>
#include <vector>

#include "http_access_log.hpp"
#include "http_exchange.hpp"
#include "http_timeouts.hpp"

namespace headrace::net::http {

class connection;

struct route_entry {
    handler call;
    body_mode how = body_mode::whole;
};

/// What all shards of a server share.
struct server_settings {
    server_options options;
    router routes;
    std::vector<route_entry> handlers;
    route_entry rest;  ///< for what no route takes; may be empty
    // Set by choose_limits(), when the routes are known.
    bool streams = false;          ///< some route takes content as it comes
    std::uint64_t small_body = 0;  ///< content of no more bytes may go anywhere
    parse_limits head_limits;      ///< while it is not known where content goes
    parse_limits streamed_limits;  ///< when it is streamed
    std::unique_ptr<boost::asio::ssl::context> tls;
    std::unique_ptr<access_log> log;
    std::atomic<std::size_t> open{0};  ///< connections of all shards
    void choose_limits() noexcept;
};

struct shard_counters {
    counter accepted, open, refused, dropped, websockets, requests, bad_requests, cancelled, timeouts, bytes_in,
        bytes_out, writes;
    std::array<counter, 6> responses;
    void add_to(server_stats& s) const noexcept;
};

class shard : public std::enable_shared_from_this<shard> {
public:
    shard(std::shared_ptr<server_settings> settings, std::shared_ptr<runtime> keeps, io_thread& thread);

    failure listen(const boost::asio::ip::tcp::endpoint& where, bool share_port);
    boost::asio::ip::tcp::endpoint local() const;
    void start(std::function<void()> on_empty);
    void drain();
    void close_all();

    // For connections.
    server_settings& settings() noexcept { return *settings_; }
    const server_options& options() const noexcept { return settings_->options; }
    io_thread& thread() noexcept { return thread_; }
    const std::shared_ptr<mailbox>& box() const noexcept { return box_; }
    bool draining() const noexcept { return draining_; }
    /// Reads the clock and brings the date up to date; once per turn.
    ns new_turn();
    ns now() const noexcept { return now_; }
    const std::string& date() const noexcept { return date_; }
    const std::string& log_time();
    void enter(connection& c, phase p);
    ns period(phase p) const noexcept;
    void removed(connection& c, bool websocket);
    void flush_later(std::shared_ptr<connection> c);

    shard_counters counters;
    // Used by the connection whose turn it is, empty between turns.
    std::string scratch;
    std::vector<field> fields;
    request_head head;
    router::match match;

private:
    void wait_accept();
    void accept_some();
    void accept_later();
    void add(boost::asio::ip::tcp::socket socket);
    void refuse(boost::asio::ip::tcp::socket& socket);
    void drain_mailbox();
    void flush_dirty();
    void arm_timer();
    void on_timer();
    void check_empty();

    const std::shared_ptr<runtime> runtime_;  // first: the sockets below need its io_context to the end
    std::shared_ptr<server_settings> settings_;
    io_thread& thread_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::ip::tcp protocol_ = boost::asio::ip::tcp::v4();
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer accept_timer_;
    boost::asio::steady_timer fresh_timer_;
    timeouts timeouts_;
    std::shared_ptr<mailbox> box_;
    std::vector<std::shared_ptr<connection>> dirty_;
    std::function<void()> on_empty_;
    ns armed_ = timeouts::never;
    ns now_{0};
    std::int64_t second_ = 0;
    std::int64_t log_second_ = 0;
    std::string date_, log_time_;
    bool draining_ = false;
};

}  // namespace headrace::net::http
