#include <algorithm>
#include <headrace/mq/redis_producer.hpp>

namespace headrace::mq {
namespace {

using redis::session;

// KEYS[1] stream, ARGV[1] length to exceed. Removes the entries below the lowest id that any group still needs: its
// oldest pending entry, else what it was last given. No group yet: nobody has read, nothing is removed.
constexpr std::string_view trim_script = R"(
if redis.call('XLEN', KEYS[1]) <= tonumber(ARGV[1]) then return 0 end
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local lowest
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = {}
  for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
  local needed = info['last-delivered-id']
  if info['pending'] > 0 then needed = redis.call('XPENDING', KEYS[1], info['name'])[2] end
  if not lowest then
    lowest = needed
  else
    local ms, seq = parts(needed)
    local lms, lseq = parts(lowest)
    if ms < lms or (ms == lms and seq < lseq) then lowest = needed end
  end
end
if not lowest then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', lowest)
)";

std::string bulk(std::string_view bytes) {
    return "$" + std::to_string(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n";
}

}  // namespace

redis_producer_session::redis_producer_session(redis_producer_options options, redis::session& commands)
    : options_(std::move(options)), redis_(commands) {
    prefix_ = "*7\r\n" + bulk("XADD") + bulk(options_.topic) + bulk("*") + bulk("id");
    if (options_.max_len != 0) {
        const auto length = std::to_string(options_.max_len);
        const std::string_view args[] = {"EVAL", trim_script, "1", options_.topic, length};
        trim_command_ = redis::format_command(args);
        trim_reply_ = std::make_shared<redis::reply_handler>();  // its outcome changes nothing for the messages
    }
}

void redis_producer_session::add(std::uint64_t tag, std::string_view id, std::string_view payload) {
    tags_.push_back(tag);
    if (options_.batch > 1) {
        append_xadd(staged_, id, payload);
        if (++open_batch_ == options_.batch) end_batch();
    } else {
        append_xadd(redis_.commands(), id, payload);
        redis_.expect_reply(self(), session::no_deadline, redis::when_lost::replay);
        ++requests_;
        maybe_trim();
    }
}

bool redis_producer_session::prepare(std::uint64_t tag, std::string_view id, std::string_view payload) {
    if (options_.batch > 1 || options_.max_len != 0) return false;
    tags_.push_back(tag);
    append_xadd(redis_.commands(), id, payload);
    redis_.expect_held_reply(self());
    return true;
}

void redis_producer_session::release(std::size_t messages) {
    redis_.release(messages);
    requests_ += messages;
}

template <class Out>
void redis_producer_session::append_xadd(Out& out, std::string_view id, std::string_view payload) {
    if (id.size() != id_size_ || id_header_.empty()) {
        id_size_ = id.size();
        id_header_ = prefix_ + "$" + std::to_string(id_size_) + "\r\n";
    }
    if (payload.size() != body_size_ || body_header_.empty()) {
        body_size_ = payload.size();
        body_header_ = "\r\n$1\r\nm\r\n$" + std::to_string(body_size_) + "\r\n";
    }
    out.append(id_header_);
    out.append(id);
    out.append(body_header_);
    out.append(payload);
    out.append("\r\n");
}

void redis_producer_session::end_batch() {
    if (open_batch_ == 0) return;
    auto& out = redis_.commands();
    out.append("*1\r\n$5\r\nMULTI\r\n");
    out.append(staged_);
    out.append("*1\r\n$4\r\nEXEC\r\n");
    staged_.clear();
    redis_.expect_reply(self(), session::no_deadline, redis::when_lost::replay, open_batch_ + 2);
    batch_sizes_.push_back(open_batch_);
    ++requests_;
    open_batch_ = 0;
    maybe_trim();
}

void redis_producer_session::maybe_trim() {
    if (options_.max_len == 0) return;
    const std::uint64_t every = std::max<std::uint64_t>(options_.max_len / 16, 100);
    if (++since_trim_ * std::max<std::size_t>(options_.batch, 1) < every) return;
    since_trim_ = 0;
    redis_.commands().append(trim_command_);
    redis_.expect_reply(trim_reply_, session::no_deadline, redis::when_lost::replay);
}

void redis_producer_session::error(std::string_view text) {
    if (options_.batch <= 1) {
        error_ = std::string(text);
    } else if (batch_reply_.executed) {
        batch_reply_.errors.emplace_back(text);
    } else if (batch_reply_.abort_reason.empty()) {
        batch_reply_.abort_reason = std::string(text);
    }
}

void redis_producer_session::string(std::string_view) {
    if (options_.batch > 1 && batch_reply_.executed) batch_reply_.errors.emplace_back();
}

void redis_producer_session::done(ns now) {
    acked_at_ = now;
    if (options_.batch > 1) return settle_batch();
    const auto tag = tags_.front();
    tags_.pop_front();
    if (error_.empty()) [[likely]] {
        acked_.push_back(tag);
    } else {
        refused_.emplace_back(tag, std::exchange(error_, {}));
    }
}

void redis_producer_session::settle_batch() {
    const auto size = batch_sizes_.front();
    batch_sizes_.pop_front();
    const auto reply = std::exchange(batch_reply_, {});
    for (std::uint32_t i = 0; i < size; ++i) {
        const auto tag = tags_.front();
        tags_.pop_front();
        if (!reply.executed || i >= reply.errors.size()) {
            refused_.emplace_back(tag,
                                  reply.abort_reason.empty() ? "the transaction was not executed" : reply.abort_reason);
        } else if (reply.errors[i].empty()) {
            acked_.push_back(tag);
        } else {
            refused_.emplace_back(tag, reply.errors[i]);
        }
    }
}

}  // namespace headrace::mq
