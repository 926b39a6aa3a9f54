// A consumer for threads: receive() takes what has arrived, ack() gives it back as done.
//
// At most `prefetch` messages are unacknowledged at a time. At least once: see mq/consumer_link.hpp.
// Threads:  every function from any thread, but not from an I/O thread (the waits block).
// Lifetime: borrows the runtime; messages are the caller's.
// Errors:   failed() keeps what ended it; receive() reports it once everything received before was taken.
// Stop:     close(): what is unacknowledged goes to another consumer of the group.
#pragma once

#include <headrace/base/error.hpp>
#include <headrace/base/notice.hpp>
#include <headrace/mq/message.hpp>
#include <headrace/net/runtime.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace headrace::mq {

struct consumer_options {
    std::string url;
    std::string topic;
    std::string group = "headrace";
    std::string name;             ///< within the group; empty: unique. A stable name resumes its own messages.
    std::size_t batch = 100;      ///< messages per broker request; 0 and 1: each its own
    std::size_t prefetch = 1000;  ///< unacknowledged messages allowed; 0 is refused
    ns claim_idle = std::chrono::seconds{30};
    ns give_up_after = std::chrono::seconds{30};
};

struct message {
    std::uint64_t tag = 0;
    std::string id;
    std::string payload;
    std::string broker_id;
    bool redelivered = false;
    ns received{0};
};

class consumer {
public:
    static failure make(consumer_options options, std::shared_ptr<net::runtime> runtime,
                        std::unique_ptr<consumer>& out);
    ~consumer();

    bool wait_open(ns timeout);
    /// Up to `most` messages; waits while there is none. False when `timeout` passed without any, or failed().
    bool receive(ns timeout, std::size_t most, std::vector<message>& out);
    /// Tags that were acknowledged before are passed over.
    void ack(std::vector<std::uint64_t> tags);
    /// Everything received up to and with this tag.
    void ack_through(std::uint64_t tag);
    /// True when the broker has confirmed every ack, or failed().
    bool wait_settled(ns timeout);
    /// Told when the wait of the same name, or receive(), would not wait.
    void when_open(notice& n);
    void when_received(notice& n);
    void when_settled(notice& n);
    failure failed() const;
    void close();
    bool closed() const;

    struct counters {
        std::uint64_t received = 0, acked = 0, redelivered = 0, unacked = 0, waiting = 0;
        link_counters link;
    };
    counters stats() const;

private:
    class core;
    consumer(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime);
    std::shared_ptr<net::runtime> runtime_;
    std::shared_ptr<core> core_;
};

}  // namespace headrace::mq
