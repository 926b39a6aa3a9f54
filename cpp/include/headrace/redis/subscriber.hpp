// Messages of PUBLISH, for threads and event loops: one connection of its own in subscribe mode.
//
// Delivery is Redis's: at most once. What is published while the connection is lost is lost too; the connection is made
// again and subscribes anew (stats().reconnects tells). A receiver that is slower than the publishers loses the oldest
// messages (counted) or ends the subscriber, as `on_full` says; Redis itself never waits.
// Threads:  every function from any thread, but not from an I/O thread (the waits block).
// Lifetime: borrows the runtime; messages are the caller's. A notice that was not told yet must outlive close().
// Errors:   failed() keeps what ended it; receive() reports it once everything received before was taken.
// Stop:     close(), which the destructor calls.
#pragma once

#include <headrace/base/notice.hpp>
#include <headrace/redis/connection.hpp>
#include <headrace/redis/subscriptions.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headrace::redis {

struct subscriber_options {
    ns connect_timeout = std::chrono::seconds{5};
    ns give_up_after{0};                  ///< stop reconnecting after this long without a connection; 0: never
    std::size_t max_queue_size = 10'000;  ///< messages that wait for receive(); 0 is refused
    bool drop_oldest = true;              ///< when more wait; false: end with errc::queue_full
};

class subscriber {
public:
    enum class kind { channel, pattern };

    static failure make(std::string_view address, subscriber_options options, std::shared_ptr<net::runtime> runtime,
                        std::unique_ptr<subscriber>& out);
    ~subscriber();

    void subscribe(kind k, std::vector<std::string> names);
    /// No names: all of that kind.
    void unsubscribe(kind k, std::vector<std::string> names);

    /// True when the server has confirmed every subscription that is wanted now, or failed().
    bool wait_subscribed(ns timeout);
    void when_subscribed(notice& n);
    /// Up to `most` messages; waits while there is none. False when `timeout` passed without any, or failed().
    bool receive(ns timeout, std::size_t most, std::vector<published>& out);
    /// Told when receive() would not wait.
    void when_received(notice& n);

    failure failed() const;
    void close();
    bool closed() const;
    std::string display() const;

    struct counters {
        std::uint64_t received = 0, dropped = 0, waiting = 0, reconnects = 0, bytes_in = 0;
    };
    counters stats() const;

private:
    class core;
    subscriber(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime);
    std::shared_ptr<net::runtime> runtime_;
    std::shared_ptr<core> core_;
};

}  // namespace headrace::redis
