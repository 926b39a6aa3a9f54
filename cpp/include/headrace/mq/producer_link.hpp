// What every broker's producing side looks like to the layers above: the Producer of Python and the produce program.
//
// At least once: a message is acknowledged when the broker has accepted it, and is sent again, with the same id, on every
// new connection until then. The caller keeps the number of unacknowledged messages within its window.
// Threads:  one I/O thread; every function and every callback there.
// Lifetime: send() copies. The listener must outlive close().
// Errors:   on_refused() for one message, on_dead() once for all that is left.
// Stop:     close(); no callback after it.
#pragma once

#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/mq/message.hpp>
#include <headrace/net/runtime.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace headrace::mq {

class producer_link {
public:
    class listener {
    public:
        virtual ~listener() = default;
        virtual void on_open() = 0;
        /// In any order, each tag once; `now` is when the acknowledgements were read.
        virtual void on_acks(std::span<const std::uint64_t> tags, ns now) = 0;
        /// The broker will not take this message; sending it again would not help.
        virtual void on_refused(std::uint64_t tag, const failure& why) = 0;
        /// Everything unacknowledged is being sent again on a new connection.
        virtual void on_resend() = 0;
        virtual void on_dead(const failure& why) = 0;
    };

    virtual ~producer_link() = default;
    virtual void open() = 0;
    /// Queues one message. Tags are the caller's, unique among the unacknowledged.
    virtual void send(std::uint64_t tag, std::string_view id, std::string_view payload) = 0;
    /// Makes a message ready to leave and keeps it until release(), so that its turn costs nothing but the write.
    /// False: this link cannot, and nothing was done. send() releases what was prepared before it.
    virtual bool prepare(std::uint64_t /*tag*/, std::string_view /*id*/, std::string_view /*payload*/) { return false; }
    /// The oldest `messages` prepared ones are now sent.
    virtual void release(std::size_t /*messages*/) {}
    /// Closes the batch under construction though it is not full.
    virtual void end_batch() = 0;
    /// Hands the complete requests to the broker, in one write where it can.
    virtual void flush() = 0;
    virtual void close() = 0;
    virtual link_counters counters() const = 0;
};

struct producer_link_options {
    std::string topic;
    std::size_t batch = 0;                        ///< messages per broker request; 0 and 1: each its own
    ns give_up_after = std::chrono::seconds{30};  ///< without a broker; 0: never
};

/// Chooses the adapter by the url's scheme. Does not connect.
failure make_producer_link(std::string_view address, const producer_link_options& options, net::io_thread& thread,
                           producer_link::listener& events, std::unique_ptr<producer_link>& out);

}  // namespace headrace::mq
