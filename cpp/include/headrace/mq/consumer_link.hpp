// What every broker's consuming side looks like to the layers above: the Consumer of Python and the consume program.
//
// At least once: a delivered message stays ours until acknowledged; what dies with us is delivered to another consumer.
// Flow control is credit: at most as many messages are asked for as allow() has granted.
// Threads:  one I/O thread; every function and every callback there.
// Lifetime: views in deliveries live for the callback. The listener must outlive close().
// Errors:   on_dead() once.
// Stop:     close(); no callback after it. What was delivered and not acked goes to another consumer.
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

class consumer_link {
public:
    class listener {
    public:
        virtual ~listener() = default;
        virtual void on_open() = 0;
        virtual void on_messages(std::span<const delivery> messages, ns now) = 0;
        /// Confirmed by the broker (or written to it, where no reply exists); `now` is when that was read.
        virtual void on_acked(std::span<const std::uint64_t> tags, ns now) = 0;
        virtual void on_dead(const failure& why) = 0;
    };

    virtual ~consumer_link() = default;
    virtual void open() = 0;
    /// `messages` more may be delivered.
    virtual void allow(std::size_t messages) = 0;
    virtual void ack(std::span<const std::uint64_t> tags) = 0;
    /// Sends what allow() and ack() queued, in one write where it can.
    virtual void flush() = 0;
    virtual void close() = 0;
    virtual link_counters counters() const = 0;
};

struct consumer_link_options {
    std::string topic;
    std::string group = "headrace";  ///< consumers of one group share the topic's messages
    std::string name;                ///< this consumer within the group; empty: unique. A stable name resumes its own.
    std::size_t batch = 0;           ///< messages per broker request; 0 and 1: each its own
    ns claim_idle = std::chrono::seconds{30};     ///< take over what another consumer left unacked for this long
    ns give_up_after = std::chrono::seconds{30};  ///< without a broker; 0: never
};

failure make_consumer_link(std::string_view address, const consumer_link_options& options, net::io_thread& thread,
                           consumer_link::listener& events, std::unique_ptr<consumer_link>& out);

}  // namespace headrace::mq
