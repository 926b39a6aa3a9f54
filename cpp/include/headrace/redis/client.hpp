// A Redis client for threads: one connection that any number of threads share.
//
// Commands of all threads that wait at the same moment leave in one write. A command that was sent on a connection which
// then broke fails with errc::maybe_executed: only the caller knows whether it may run twice. Blocking commands (BLPOP,
// XREAD BLOCK) hold up everything behind them: give them a client of their own.
// Threads:  every function from any thread, but not from an I/O thread (call::wait blocks).
// Lifetime: a client borrows the runtime; calls outlive their client.
// Errors:   per call: timed_out, maybe_executed, connection_failed, closed, queue_full, forked.
// Stop:     close() fails what is pending; the destructor closes.
#pragma once

#include <headrace/base/mutex.hpp>
#include <headrace/redis/connection.hpp>
#include <headrace/redis/value.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headrace::redis {

struct client_options {
    ns connect_timeout = std::chrono::seconds{5};
    ns give_up_after{0};                     ///< stop reconnecting after this long without a connection; 0: never
    std::size_t max_queue_size = 1'000'000;  ///< commands that may wait for their replies; more are refused
};

/// One or several commands under way. An error reply is a value (kind::error); a missing reply is a failure.
class call {
public:
    virtual ~call() = default;
    /// False when `timeout` passed first; may be called again.
    virtual bool wait(ns timeout) = 0;
    /// After wait() returned true: the first command that got no reply, if any.
    virtual const failure& failed() const = 0;
    /// After wait() returned true and !failed(): one value per command.
    virtual std::vector<value> take() = 0;
};

/// Is told what a request was answered, where nobody waits for a call.
class call_sink {
public:
    /// Once: one value per command, or why there is none. On the I/O thread; in submit() when it is refused at once.
    virtual void ended(std::vector<value> replies, const failure& why) noexcept = 0;
    /// Called on the first of those that ended with one read, linked by next_ended, oldest first.
    virtual void hand_over() noexcept = 0;
    call_sink* next_ended = nullptr;

protected:
    ~call_sink() = default;
};

struct request {
    std::string formatted;           ///< whole commands, one after another
    std::vector<std::size_t> sizes;  ///< of each command; empty: it is one command
    ns deadline{0};                  ///< monotonic
    call_sink* sink = nullptr;       ///< lives until hand_over()
};

class client {
public:
    /// Checks the address; does not connect. Throws nothing: failure(invalid_argument).
    static failure make(std::string_view address, client_options options, std::shared_ptr<net::runtime> runtime,
                        std::shared_ptr<client>& out);
    ~client();

    /// Starts connecting; wait for it with a PING, or let the first command do so.
    void open();
    /// `formatted` holds sizes.size() whole commands (format_command), one after another; `deadline` is monotonic.
    std::shared_ptr<call> submit(std::string formatted, const std::vector<std::size_t>& sizes, ns deadline);
    /// The same for several requests at once, whose ends are told to their sinks.
    void submit(std::vector<request> requests);
    void close();
    bool closed() const;
    bool connected() const;
    std::string display() const;
    connection::counters stats() const;

private:
    class core;
    explicit client(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime);
    std::shared_ptr<net::runtime> runtime_;
    std::shared_ptr<core> core_;
};

}  // namespace headrace::redis
