// Producing to a Redis stream: which commands carry a message, and what their replies mean. No socket.
//
// A message is XADD <topic> * id <id> m <payload>. A batch is one transaction, MULTI XADD... EXEC, acknowledged by the
// reply of EXEC. `max_len` never drops what somebody still needs: now and then a script removes the entries that every
// group has acknowledged, once the stream is longer than max_len.
// Threads:  pure; one owner.   Lifetime: the redis::session outlives it.
// Errors:   an error reply refuses its message.
#pragma once

#include <deque>
#include <headrace/redis/session.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace::mq {

struct redis_producer_options {
    std::string topic;
    std::size_t batch = 0;      ///< XADDs per MULTI/EXEC; 0 and 1: no transaction
    std::uint64_t max_len = 0;  ///< trim what is acknowledged beyond this many entries; 0: never trim
};

class redis_producer_session final : private redis::reply_handler {
public:
    redis_producer_session(redis_producer_options options, redis::session& commands);

    void add(std::uint64_t tag, std::string_view id, std::string_view payload);
    /// As add(), but the message stays until release(). False: not with batches or max_len; nothing was done.
    bool prepare(std::uint64_t tag, std::string_view id, std::string_view payload);
    void release(std::size_t messages);
    /// Closes the batch under construction, if any.
    void end_batch();
    /// The connection was lost: half an answer to a batch is void.
    void on_lost() { batch_reply_ = {}; }

    /// What the replies since the last clear_results() said.
    const std::vector<std::uint64_t>& acked() const noexcept { return acked_; }
    const std::vector<std::pair<std::uint64_t, std::string>>& refused() const noexcept { return refused_; }
    ns acked_at() const noexcept { return acked_at_; }
    void clear_results() {
        acked_.clear();
        refused_.clear();
    }
    std::uint64_t requests() const noexcept { return requests_; }

private:
    struct batch_reply {
        bool executed = false;            // the array of EXEC has begun
        std::string abort_reason;         // the first error before it
        std::vector<std::string> errors;  // per message; empty text: accepted
    };
    template <class Out>
    void append_xadd(Out& out, std::string_view id, std::string_view payload);
    void maybe_trim();
    void settle_batch();

    void error(std::string_view text) override;
    void string(std::string_view) override;
    void array(std::size_t) override { batch_reply_.executed = true; }
    void done(ns now) override;  // lost() says nothing: the link gives up for all messages at once

    std::shared_ptr<redis::reply_handler> self() {
        return {std::shared_ptr<void>{}, static_cast<redis::reply_handler*>(this)};
    }

    redis_producer_options options_;
    redis::session& redis_;
    std::string prefix_;       // the command up to the id's length
    std::string id_header_;    // "$<n>\r\n" for ids of id_size_
    std::string body_header_;  // from after the id to the payload, for payloads of body_size_
    std::size_t id_size_ = 0;
    std::size_t body_size_ = 0;
    std::string trim_command_;
    std::shared_ptr<redis::reply_handler> trim_reply_;

    std::deque<std::uint64_t> tags_;         // sent and unanswered, in order
    std::deque<std::uint32_t> batch_sizes_;  // of the batches among them
    std::uint32_t open_batch_ = 0;           // messages in the batch under construction
    std::string staged_;                     // and their commands: a request is queued whole or not at all
    batch_reply batch_reply_;
    std::string error_;  // of the single XADD being answered
    std::vector<std::uint64_t> acked_;
    std::vector<std::pair<std::uint64_t, std::string>> refused_;
    ns acked_at_{0};
    std::uint64_t requests_ = 0;
    std::uint64_t since_trim_ = 0;
};

}  // namespace headrace::mq
