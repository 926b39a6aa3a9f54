// A producer for threads: send() returns at once while fewer than `window` messages are unacknowledged.
//
// Messages of all threads that wait at the same moment leave in one write. At least once: see mq/producer_link.hpp.
// Threads:  every function from any thread, but not from an I/O thread (the waits block).
// Lifetime: borrows the runtime. send() copies.
// Errors:   failed() keeps the first refusal or loss; send() and the waits report it from then on.
// Stop:     close() gives up what is unacknowledged; wait_settled() first to lose nothing.
#pragma once

#include <headrace/base/error.hpp>
#include <headrace/base/notice.hpp>
#include <headrace/mq/message.hpp>
#include <headrace/net/runtime.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::mq {

struct producer_options {
    std::string url;
    std::string topic;
    std::size_t window = 1000;  ///< unacknowledged messages allowed; 0 is refused
    std::size_t batch = 0;      ///< messages per broker request, of those that wait together; 0 and 1: each its own
    std::string instance;       ///< first part of generated ids; empty: random
    bool collect_acks = false;  ///< keep acknowledgements for take_acks(); unread ones count against the window
    ns give_up_after = std::chrono::seconds{30};  ///< without a broker; 0: never
};

struct acknowledgement {
    std::string id;
    ns sent{0};
    ns acked{0};    ///< 0 when refused
    failure error;  ///< why the broker refused it, or none
};

/// Is told the acknowledgement of one message.
class ack_sink {
public:
    /// Once, on the I/O thread: the answer, or the failure that ended the producer.
    virtual void acknowledged(acknowledgement a) noexcept = 0;
    /// Called on the first of those that were acknowledged together, linked by next_acked, oldest first.
    virtual void hand_over() noexcept = 0;
    ack_sink* next_acked = nullptr;

protected:
    ~ack_sink() = default;
};

class producer {
public:
    enum class outcome { queued, full, failed };

    static failure make(producer_options options, std::shared_ptr<net::runtime> runtime,
                        std::unique_ptr<producer>& out);
    ~producer();

    /// True when connected, or failed().
    bool wait_open(ns timeout);
    /// `id` empty: one is made. `id_out` receives it. `sink`, when queued, is told of the acknowledgement.
    outcome try_send(std::string_view payload, std::string_view id, std::string& id_out, ack_sink* sink = nullptr);
    /// True when try_send() would not answer `full`.
    bool wait_room(ns timeout);
    /// True when nothing is unacknowledged, or failed().
    bool wait_settled(ns timeout);
    /// Told when the wait of the same name would not wait.
    void when_open(notice& n);
    void when_room(notice& n);
    void when_settled(notice& n);
    std::vector<acknowledgement> take_acks();
    failure failed() const;
    void close();
    bool closed() const;

    struct counters {
        std::uint64_t sent = 0, acked = 0, failed = 0, in_flight = 0;
        link_counters link;
    };
    counters stats() const;

private:
    class core;
    producer(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime);
    std::shared_ptr<net::runtime> runtime_;
    std::shared_ptr<core> core_;
};

}  // namespace headrace::mq
