// One Redis connection that keeps itself up: the Asio shell around redis/session.hpp.
//
// All commands queued in one turn of the loop leave in one write; all bytes that one read brings are decoded at once.
// A lost connection is made again with jittered back-off; the greeting is replayed.
// Threads:  the I/O thread only, including every callback.
// Lifetime: keeps itself alive while a socket or timer is open; the listener must outlive close().
// Errors:   listener.on_dead() once, when the server refuses us for good or stayed away longer than `give_up_after`.
// Stop:     close() fails what is pending with errc::closed (or maybe_executed) before it returns.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <headrace/net/backoff.hpp>
#include <headrace/net/stream.hpp>
#include <headrace/net/url.hpp>
#include <headrace/redis/session.hpp>
#include <memory>
#include <vector>

namespace headrace::redis {

struct connection_options {
    net::endpoint where;
    session_options session;
    ns connect_timeout = std::chrono::seconds{5};  ///< of one attempt
    ns give_up_after = std::chrono::seconds{30};   ///< without a connection; 0: never
    /// The same before the first connection, when the address is more likely wrong than the server slow to come back.
    ns give_up_first = std::chrono::seconds{3};
    net::backoff_options backoff;
};

/// redis://[user:password@]host[:6379][/db], rediss://... (TLS), unix:///path/to.sock[?db=n].
/// Query: db, client_name, verify=0, cafile, certfile, keyfile. What a layer above understands is listed in `known`.
failure parse_address(const net::url& address, connection_options& out, std::span<const std::string_view> known = {});

class connection : public std::enable_shared_from_this<connection> {
public:
    class listener {
    public:
        virtual ~listener() = default;
        virtual void on_up() = 0;
        virtual void on_down(const failure& why) = 0;
        virtual void on_dead(const failure& why) = 0;
        /// Every read was dispatched: the time to send what the replies led to.
        virtual void on_batch_end() {}
    };
    struct counters {
        std::uint64_t writes = 0, reads = 0, bytes_out = 0, bytes_in = 0, reconnects = 0;
    };

    static std::shared_ptr<connection> make(net::io_thread& thread, connection_options options, listener& events);

    void open();
    session& commands() noexcept { return session_; }
    /// Writes what is queued, unless a write is under way; then it follows that one.
    void flush();
    void close();
    bool up() const noexcept { return session_.current() == session::state::ready; }
    const counters& stats() const noexcept { return counters_; }
    std::string display() const { return options_.where.display(); }

private:
    connection(net::io_thread& thread, connection_options options, listener& events);
    void connect();
    void connected(failure why, std::unique_ptr<net::stream> stream);
    void read();
    void on_read(const std::error_code& ec, std::size_t bytes);
    void wrote(std::size_t bytes);
    void on_written(const std::error_code& ec, std::size_t bytes);
    void lose(failure why);
    bool out_of_patience(const failure& why) const;
    void die(const failure& why);
    void retry_later();
    void arm_tick();
    void on_tick();

    enum class phase { idle, connecting, open, waiting, closed };

    net::io_thread& thread_;
    connection_options options_;
    listener& events_;
    session session_;
    net::backoff backoff_;
    boost::asio::steady_timer retry_timer_;
    boost::asio::steady_timer tick_timer_;
    std::shared_ptr<net::connect_attempt> attempt_;
    std::shared_ptr<net::stream> stream_;
    std::vector<char> in_;
    std::vector<std::string_view> pieces_;
    counters counters_;
    phase phase_ = phase::idle;
    bool writing_ = false;
    bool was_up_ = false;
    ns down_since_{0};
    ns tick_at_ = session::no_deadline;
};

}  // namespace headrace::redis
