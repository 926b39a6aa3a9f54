// Consuming a Redis stream as one member of a group: which commands to send, what their replies mean. No socket.
//
// Two connections: XREADGROUP and XAUTOCLAIM on one, which may block in the server, XACK on the other, so that an
// acknowledgement never waits behind a blocked read. After every (re)connection our own pending entries come first:
// their delivery may have been lost with the connection. While the group has a backlog, reads do not block and several
// are under way; once it has none, one blocking read waits.
// Threads:  pure; one owner.   Lifetime: both redis::sessions and the events outlive it.
// Errors:   dead(): what retrying cannot mend. A group or stream that vanished is made again.
#pragma once

#include <deque>
#include <headrace/mq/consumer_link.hpp>
#include <headrace/mq/redis_entries.hpp>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace headrace::mq {

struct redis_consumer_options {
    std::string topic;
    std::string group;
    std::string name;
    std::size_t batch = 0;  ///< COUNT of a read and ids of an XACK; 0: 1
    ns claim_idle = std::chrono::seconds{30};
};

class redis_consumer_session {
public:
    class events {
    public:
        virtual ~events() = default;
        virtual void deliver(std::span<const delivery> messages, ns now) = 0;
        virtual void acked(std::span<const std::uint64_t> tags, ns now) = 0;
        virtual void dead(const failure& why) = 0;
    };

    redis_consumer_session(redis_consumer_options options, redis::session& reader, redis::session& acker, events& out);
    ~redis_consumer_session();

    /// The reading connection is ready, for the first time or again.
    void on_reader_up(ns now);
    void allow(std::size_t messages) { credit_ += messages; }
    void ack(std::span<const std::uint64_t> tags);
    /// Takes our name out of the group, unless something is pending in it (then another, or we again, must find it).
    void leave();
    /// Queues the reads that credit and state allow. After every burst of replies, allow() or ack().
    void pump(ns now);

    std::uint64_t requests() const noexcept { return requests_; }
    std::uint64_t dropped_by_broker() const noexcept { return trimmed_; }

private:
    enum class read_kind : std::uint8_t { fresh, own, claim };
    class read_op;
    class ack_op;
    class setup_op;
    enum class hand_state : std::uint8_t { held, acking, acked };
    struct hand {
        stream_id where;
        hand_state state;
    };

    void make_group();
    void read(read_kind kind, std::size_t count, bool block, ns now);
    void read_done(read_op& op, ns now);
    void read_lost(read_op& op);
    void take_entries(read_op& op, ns now);
    void after_own(const read_op& op);
    void after_claim(const read_op& op, ns now);
    void read_refused(const std::string& text);
    void ack_away(std::string_view entry);
    void acks_done(std::size_t count, ns now);
    void forget_acked();
    std::unordered_set<std::uint64_t> held_keys() const;
    std::shared_ptr<read_op> new_read(read_kind kind, std::size_t count);

    redis_consumer_options options_;
    redis::session& reader_;
    redis::session& acker_;
    events& events_;
    ns block_;

    std::size_t credit_ = 0;   // allowed and not yet asked for
    std::size_t reads_ = 0;    // reads under way
    std::size_t depth_;        // reads under way at most, while there is a backlog
    bool connected_ = false;   // the reader has been up at least once
    bool recovering_ = false;  // own pending entries are being read again
    bool own_read_running_ = false;
    std::string own_cursor_ = "0";
    bool backlog_ = false;  // the last fresh read came back full
    ns next_claim_{0};
    bool claim_running_ = false;
    std::string claim_cursor_ = "0-0";

    std::deque<hand> hands_;  // delivered, by tag; hands_.front() is tag first_tag_
    std::uint64_t first_tag_ = 0;
    std::deque<std::uint64_t> acking_;  // tags of XACKs under way, in order
    std::vector<std::uint64_t> confirmed_;
    std::vector<delivery> deliveries_;
    std::vector<std::shared_ptr<read_op>> spare_reads_;
    std::uint64_t requests_ = 0;
    std::uint64_t trimmed_ = 0;
};

}  // namespace headrace::mq
