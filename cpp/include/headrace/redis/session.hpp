// What a Redis connection does next: which bytes to write, whose reply this is, what a lost connection means for each
// command. No socket, no clock, no thread: redis/connection.hpp drives it.
//
// States: down -> (on_connected) greeting -> (AUTH, SELECT, CLIENT SETNAME, PING answered) ready -> (on_lost) down.
// Commands may be queued in every state; their bytes leave only when ready, all waiting ones in one write.
// Threads:  pure; one owner.
// Lifetime: a handler lives until its done() or lost() was called, exactly one of them, once.
// Errors:   a command that was written and then lost gets errc::maybe_executed unless it is `replay`; one that was never
//           written gets errc::timed_out at its deadline.
#pragma once

#include <deque>
#include <headrace/base/clock.hpp>
#include <headrace/redis/codec.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headrace::redis {

class reply_handler : public reply_visitor {
public:
    /// The reply was walked completely.
    virtual void done(ns) {}
    virtual void lost(const failure&) {}
};

enum class when_lost : std::uint8_t {
    fail,    ///< report maybe_executed
    replay,  ///< send it again on the next connection: the command may run twice
};

struct session_options {
    std::string user;                             ///< empty: AUTH with the password alone
    std::string password;                         ///< empty: no AUTH
    unsigned db = 0;                              ///< SELECT when not 0
    std::string client_name;                      ///< CLIENT SETNAME when not empty
    ns silence_limit = std::chrono::seconds{10};  ///< a peer that owes replies and sent no byte for this long is gone
};

class session final : private reply_source {
public:
    enum class state { down, greeting, ready };
    static constexpr ns no_deadline = ns::max();

    explicit session(session_options options);
    ~session();

    // For callers. Append the bytes of exactly one command to commands(), then say who takes its reply.
    net::out_buffer& commands() noexcept { return out_; }
    // Several commands that must stay together (MULTI ... EXEC) are one request with several replies: done() comes after
    // the last of them, and a replay starts with the first.
    void expect_reply(std::shared_ptr<reply_handler> handler, ns deadline, when_lost policy, std::uint32_t replies = 1);
    /// For a connection that subscribes (RESP2 push): every reply after the greeting goes to `handler`, whose done() is
    /// called after each and lost() never. Call it before anything is queued; expect_reply() is then out of place.
    void take_pushes(std::shared_ptr<reply_handler> handler) { pushes_ = std::move(handler); }
    /// In that mode, instead of expect_reply(): what was appended may leave. It is not sent again after a loss.
    void expect_pushes() { command_begin_ = ready_ = out_.end(); }
    std::size_t pending() const noexcept { return pending_.size(); }
    // A held command is prepared while there is time and stays here until release(). It has no deadline and is replayed.
    // An ordinary command releases what was held before it: the order stays.
    void expect_held_reply(std::shared_ptr<reply_handler> handler);
    /// The oldest `requests` held ones (at most those that are held) may leave.
    void release(std::size_t requests);
    std::size_t held() const noexcept { return held_; }

    // For the shell.
    state current() const noexcept { return state_; }
    void on_connected(ns now);
    /// The bytes to write now, as at most out.size() pieces.
    std::size_t gather(std::span<std::string_view> out) const;
    void on_written(std::size_t bytes, ns now);
    /// Decodes and dispatches. A failure means: close this connection. authentication_failed and server_error are final.
    failure on_read(std::span<const char> bytes, ns now);
    /// The connection is gone. What was written fails or will be replayed.
    void on_lost(const failure& why);
    /// Nobody will connect again: every command fails with `why` (or maybe_executed, when it had been written).
    void on_given_up(const failure& why);
    /// Fails what is past its deadline. True: the peer is silent, close the connection.
    bool on_tick(ns now);
    /// When on_tick() is worth calling next; no_deadline when nothing can happen. May be early, never late.
    ns next_tick() const noexcept;
    /// Commands that were written more than once.
    std::uint64_t replayed() const noexcept { return replayed_; }

private:
    struct request {
        std::shared_ptr<reply_handler> handler;  // null: given up, its reply is thrown away
        std::uint64_t begin, end;                // its bytes in out_
        ns deadline;
        when_lost policy;
        std::uint32_t replies;   // expected in all
        std::uint32_t answered;  // so far on this connection
    };
    class greeting_reply;

    reply_visitor* next_reply() override;
    void reply_done() override;
    void greet();
    failure judge_greeting() const;
    template <class Keep>
    void drop_unless(Keep keep, const failure& unsent, const failure& written);
    bool written(const request& r) const noexcept { return r.begin < out_.sent(); }
    bool must_hear() const noexcept;
    bool fail_expired(ns now);

    session_options options_;
    state state_ = state::down;
    net::out_buffer out_;
    net::out_buffer greeting_;
    std::deque<request> pending_;
    std::size_t held_ = 0;                     // of the newest in pending_
    std::uint64_t ready_ = 0;                  // offset in out_ up to which bytes may leave
    std::vector<std::string> greeting_names_;  // one per greeting command, for messages
    std::vector<std::string> greeting_errors_;
    std::size_t greeting_answered_ = 0;
    std::uint64_t command_begin_ = 0;
    std::uint64_t replayed_ = 0;
    std::string why_down_ = "never connected";
    ns last_heard_{0};  // the last byte, or the last write that found nothing unanswered
    ns now_{0};
    ns earliest_deadline_ = no_deadline;
    decoder decoder_;
    std::shared_ptr<reply_handler> pushes_;
    std::unique_ptr<greeting_reply> greeting_reply_;
};

}  // namespace headrace::redis
