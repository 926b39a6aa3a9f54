#include <algorithm>
#include <headrace/redis/session.hpp>

namespace headrace::redis {
namespace {

// Takes the reply of a command whose caller has gone.
reply_visitor& nobody() {
    static reply_visitor ignores_everything;
    return ignores_everything;
}

constexpr ns mute_limit = std::chrono::seconds{1};

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return text.starts_with(prefix); });
}

}  // namespace

// Greeting replies are short: only whether each is an error matters.
class session::greeting_reply final : public reply_visitor {
public:
    explicit greeting_reply(session& owner) : owner_(owner) {}
    void error(std::string_view text) override {
        owner_.greeting_errors_.push_back(owner_.greeting_names_[owner_.greeting_answered_] + ": " + std::string(text));
    }

private:
    session& owner_;
};

session::session(session_options options)
    : options_(std::move(options)), greeting_reply_(std::make_unique<greeting_reply>(*this)) {}
session::~session() = default;

void session::expect_reply(std::shared_ptr<reply_handler> handler, ns deadline, when_lost policy,
                           std::uint32_t replies) {
    pending_.push_back({std::move(handler), command_begin_, out_.end(), deadline, policy, replies, 0});
    command_begin_ = ready_ = out_.end();
    held_ = 0;
    earliest_deadline_ = std::min(earliest_deadline_, deadline);
}

void session::expect_held_reply(std::shared_ptr<reply_handler> handler) {
    pending_.push_back({std::move(handler), command_begin_, out_.end(), no_deadline, when_lost::replay, 1, 0});
    command_begin_ = out_.end();
    ++held_;
}

void session::release(std::size_t requests) {
    requests = std::min(requests, held_);
    if (requests == 0) return;
    held_ -= requests;
    ready_ = pending_[pending_.size() - held_ - 1].end;
}

void session::on_connected(ns now) {
    state_ = state::greeting;
    decoder_.reset();
    last_heard_ = now_ = now;
    greet();
}

void session::greet() {
    greeting_.clear();
    greeting_names_.clear();
    greeting_errors_.clear();
    greeting_answered_ = 0;
    const auto add = [this](std::string name, std::vector<std::string_view> args) {
        append_command(greeting_, args);
        greeting_names_.push_back(std::move(name));
    };
    if (!options_.password.empty()) {
        if (options_.user.empty()) {
            add("AUTH", {"AUTH", options_.password});
        } else {
            add("AUTH", {"AUTH", options_.user, options_.password});
        }
    }
    const auto db = std::to_string(options_.db);
    if (options_.db != 0) add("SELECT " + db, {"SELECT", db});
    if (!options_.client_name.empty()) add("CLIENT SETNAME", {"CLIENT", "SETNAME", options_.client_name});
    add("PING", {"PING"});
}

std::size_t session::gather(std::span<std::string_view> out) const {
    switch (state_) {
        case state::down: return 0;
        case state::greeting: return greeting_.gather(out);
        case state::ready: return out_.gather(out, ready_);
    }
    return 0;
}

void session::on_written(std::size_t bytes, ns now) {
    if (state_ == state::greeting) {
        greeting_.mark_sent(bytes);
    } else {
        if (out_.sent() == out_.released()) last_heard_ = now;  // nothing was owed until now
        out_.mark_sent(bytes);
        if (pushes_) out_.release(out_.sent());
    }
}

reply_visitor* session::next_reply() {
    if (state_ == state::greeting) {
        return greeting_answered_ < greeting_names_.size() ? greeting_reply_.get() : nullptr;
    }
    if (pushes_) return pushes_.get();
    if (pending_.empty() || pending_.front().end > out_.sent()) return nullptr;
    auto& handler = pending_.front().handler;
    return handler ? static_cast<reply_visitor*>(handler.get()) : &nobody();
}

void session::reply_done() {
    if (state_ == state::greeting) {
        ++greeting_answered_;
        return;
    }
    if (pushes_) return pushes_->done(now_);
    if (++pending_.front().answered < pending_.front().replies) return;
    const auto answered = std::move(pending_.front());
    pending_.pop_front();
    out_.release(answered.end);
    if (answered.handler) answered.handler->done(now_);
}

failure session::judge_greeting() const {
    if (greeting_errors_.empty()) return {};
    const auto& first = greeting_errors_.front();
    const auto reason = std::string_view(first).substr(first.find(": ") + 2);
    if (starts_with_any(reason, {"LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN"})) {
        return failure::of(errc::connection_failed, "the server is not ready: " + std::string(reason));
    }
    if (starts_with_any(
            reason, {"WRONGPASS", "NOAUTH", "NOPERM", "ERR invalid password", "ERR AUTH", "ERR Client sent AUTH"})) {
        return failure::of(errc::authentication_failed, first);
    }
    return failure::of(errc::server_error, first);
}

failure session::on_read(std::span<const char> bytes, ns now) {
    last_heard_ = now_ = now;
    if (auto bad = decoder_.feed(bytes, *this)) return bad;
    if (state_ == state::greeting && greeting_answered_ == greeting_names_.size()) {
        if (auto refused = judge_greeting()) return refused;
        state_ = state::ready;
    }
    return {};
}

template <class Keep>
void session::drop_unless(Keep keep, const failure& unsent, const failure& sent) {
    net::out_buffer kept_bytes;
    std::deque<request> kept;
    std::vector<std::pair<std::shared_ptr<reply_handler>, bool>> dropped;
    for (auto& r : pending_) {
        if (!r.handler) continue;
        if (!keep(r)) {
            dropped.emplace_back(std::move(r.handler), written(r));
            continue;
        }
        const auto begin = kept_bytes.end();
        out_.copy_to(r.begin, r.end, kept_bytes);
        if (written(r)) ++replayed_;
        kept.push_back({std::move(r.handler), begin, kept_bytes.end(), r.deadline, r.policy, r.replies, 0});
    }
    out_ = std::move(kept_bytes);
    pending_ = std::move(kept);
    command_begin_ = out_.end();
    // Nothing drops a held command but giving up, which drops all.
    held_ = std::min(held_, pending_.size());
    ready_ = held_ == 0 ? out_.end() : pending_[pending_.size() - held_].begin;
    // Handlers may queue new commands, so they hear of it last.
    for (auto& [handler, was_written] : dropped) handler->lost(was_written ? sent : unsent);
}

void session::on_lost(const failure& why) {
    state_ = state::down;
    why_down_ = why.message;
    const auto sent = failure::of(errc::maybe_executed, why.message + "; the command had been sent and may have run");
    drop_unless([this](const request& r) { return !written(r) || r.policy == when_lost::replay; }, why, sent);
}

void session::on_given_up(const failure& why) {
    state_ = state::down;
    const auto sent = failure::of(errc::maybe_executed, why.message + "; the command had been sent and may have run");
    drop_unless([](const request&) { return false; }, why, sent);
}

// The greeting and replayed commands have no deadline of their own: they are owed an answer as long as the peer lives.
bool session::must_hear() const noexcept {
    if (state_ == state::greeting) return true;
    if (pushes_) return state_ == state::ready;  // its owner sends a PING now and then
    return state_ == state::ready && !pending_.empty() && written(pending_.front()) &&
           pending_.front().policy == when_lost::replay;
}

ns session::next_tick() const noexcept {
    return must_hear() ? std::min(earliest_deadline_, last_heard_ + options_.silence_limit) : earliest_deadline_;
}

bool session::on_tick(ns now) {
    const bool silent = must_hear() && now - last_heard_ >= options_.silence_limit;
    if (now < earliest_deadline_) return silent;
    const bool mute = fail_expired(now);
    earliest_deadline_ = no_deadline;
    for (const auto& r : pending_) {
        if (r.handler && r.deadline > now) earliest_deadline_ = std::min(earliest_deadline_, r.deadline);
    }
    return silent || mute;
}

// True when a command expired on a connection that has been mute for a while: half-open, most likely.
bool session::fail_expired(ns now) {
    if (state_ != state::ready) {
        const auto late = failure::of(errc::timed_out, "the deadline passed without a connection: " + why_down_);
        drop_unless([now](const request& r) { return r.deadline > now; }, late, late);
        return false;
    }
    const auto late = failure::of(errc::maybe_executed, "no answer before the deadline; the command may have run");
    std::vector<std::shared_ptr<reply_handler>> expired;
    // The first reply may have been read in part.
    if (!pending_.empty() && pending_.front().deadline <= now && pending_.front().policy == when_lost::fail) {
        decoder_.divert(nobody());
    }
    for (auto& r : pending_) {
        if (r.handler && r.deadline <= now && r.policy == when_lost::fail) expired.push_back(std::move(r.handler));
    }
    for (auto& handler : expired) handler->lost(late);
    return !expired.empty() && now - last_heard_ >= mute_limit;
}

}  // namespace headrace::redis
