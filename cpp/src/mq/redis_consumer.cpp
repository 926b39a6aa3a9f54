#include <algorithm>
#include <headrace/mq/payload.hpp>
#include <headrace/mq/redis_consumer.hpp>

namespace headrace::mq {
namespace {

using redis::session;
using redis::when_lost;

constexpr ns max_block = std::chrono::seconds{1};
constexpr ns reply_margin = std::chrono::seconds{10};  // how much longer than its BLOCK a read may take

// KEYS[1] stream, ARGV[1] group, ARGV[2] consumer. One step in the server: XGROUP DELCONSUMER forgets what is pending,
// and a read that still waits in the server may be given entries at any moment.
constexpr std::string_view leave_script = R"(
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
)";

std::uint64_t key_of(stream_id id) noexcept {
    return id.ms * 0x9e3779b97f4a7c15ULL + id.seq;
}

}  // namespace

class redis_consumer_session::read_op final : public redis::reply_handler,
                                              public std::enable_shared_from_this<read_op> {
public:
    explicit read_op(redis_consumer_session& owner) : owner_(owner) {}

    void begin() override { parser.begin(kind == read_kind::claim ? entries_shape::claim : entries_shape::read); }
    void error(std::string_view text) override { parser.error(text); }
    void string(std::string_view bytes) override { parser.string(bytes); }
    void nil() override { parser.nil(); }
    void array(std::size_t elements) override { parser.array(elements); }
    void done(ns now) override { owner_.read_done(*this, now); }
    void lost(const failure&) override { owner_.read_lost(*this); }

    read_kind kind = read_kind::fresh;
    std::size_t count = 0;
    entry_parser parser;

private:
    redis_consumer_session& owner_;
};

class redis_consumer_session::ack_op final : public redis::reply_handler {
public:
    ack_op(redis_consumer_session& owner, std::size_t count) : owner_(owner), count_(count) {}
    void error(std::string_view text) override { error_ = std::string(text); }
    void done(ns now) override {
        // NOGROUP: the group was removed, and with it what we owed it.
        if (!error_.empty() && !error_.starts_with("NOGROUP")) {
            owner_.events_.dead(failure::of(errc::server_error, "XACK " + owner_.options_.topic + ": " + error_));
        }
        owner_.acks_done(count_, now);
    }

private:
    redis_consumer_session& owner_;
    std::size_t count_;
    std::string error_;
};

class redis_consumer_session::setup_op final : public redis::reply_handler {
public:
    explicit setup_op(redis_consumer_session& owner) : owner_(owner) {}
    void error(std::string_view text) override {
        if (text.starts_with("BUSYGROUP")) return;  // it exists: what we want
        owner_.events_.dead(failure::of(errc::server_error, "cannot make the group " + owner_.options_.group + " of " +
                                                                owner_.options_.topic + ": " + std::string(text)));
    }

private:
    redis_consumer_session& owner_;
};

redis_consumer_session::redis_consumer_session(redis_consumer_options options, session& reader, session& acker,
                                               events& out)
    : options_(std::move(options)), reader_(reader), acker_(acker), events_(out) {
    options_.batch = std::max<std::size_t>(options_.batch, 1);
    depth_ = std::clamp<std::size_t>(64 / options_.batch + 1, 2, 64);
    block_ = std::clamp<ns>(options_.claim_idle / 2, std::chrono::milliseconds{10}, max_block);
}

redis_consumer_session::~redis_consumer_session() = default;

void redis_consumer_session::on_reader_up(ns now) {
    make_group();
    connected_ = true;
    recovering_ = true;
    own_cursor_ = "0";
    if (next_claim_.count() == 0) next_claim_ = now;
    pump(now);
}

void redis_consumer_session::make_group() {
    const std::string_view args[] = {"XGROUP", "CREATE", options_.topic, options_.group, "0", "MKSTREAM"};
    redis::append_command(reader_.commands(), args);
    reader_.expect_reply(std::make_shared<setup_op>(*this), session::no_deadline, when_lost::replay);
}

void redis_consumer_session::pump(ns now) {
    if (!connected_) return;
    if (recovering_) {
        if (!own_read_running_ && credit_ > 0) read(read_kind::own, std::min(options_.batch, credit_), false, now);
        return;
    }
    if (!claim_running_ && credit_ > 0 && now >= next_claim_) {
        read(read_kind::claim, std::min(options_.batch, credit_), false, now);
    }
    while (credit_ > 0 && reads_ < depth_) {
        // Small leftovers wait for company unless nothing else is under way.
        if (reads_ > 0 && (!backlog_ || credit_ < options_.batch)) return;
        read(read_kind::fresh, std::min(options_.batch, credit_), !backlog_, now);
    }
}

std::shared_ptr<redis_consumer_session::read_op> redis_consumer_session::new_read(read_kind kind, std::size_t count) {
    std::shared_ptr<read_op> op;
    if (spare_reads_.empty()) {
        op = std::make_shared<read_op>(*this);
    } else {
        op = std::move(spare_reads_.back());
        spare_reads_.pop_back();
    }
    op->kind = kind;
    op->count = count;
    return op;
}

void redis_consumer_session::read(read_kind kind, std::size_t count, bool block, ns now) {
    credit_ -= count;
    ++reads_;
    ++requests_;
    const auto count_text = std::to_string(count);
    ns deadline = now + reply_margin;
    if (kind == read_kind::claim) {
        claim_running_ = true;
        const auto idle =
            std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(options_.claim_idle).count());
        const std::string_view args[] = {"XAUTOCLAIM", options_.topic, options_.group, options_.name,
                                         idle,         claim_cursor_,  "COUNT",        count_text};
        redis::append_command(reader_.commands(), args);
    } else {
        const auto block_text = std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(block_).count());
        std::vector<std::string_view> args{"XREADGROUP", "GROUP", options_.group, options_.name, "COUNT", count_text};
        if (block) {
            args.insert(args.end(), {"BLOCK", block_text});
            deadline += block_;
        }
        args.insert(args.end(),
                    {"STREAMS", options_.topic, kind == read_kind::own ? std::string_view(own_cursor_) : ">"});
        redis::append_command(reader_.commands(), args);
        own_read_running_ = own_read_running_ || kind == read_kind::own;
    }
    reader_.expect_reply(new_read(kind, count), deadline, when_lost::fail);
}

void redis_consumer_session::read_done(read_op& op, ns now) {
    --reads_;
    if (op.kind == read_kind::own) own_read_running_ = false;
    if (op.kind == read_kind::claim) claim_running_ = false;
    if (!op.parser.error_text().empty()) {
        credit_ += op.count;
        read_refused(op.parser.error_text());
        return;
    }
    if (op.kind == read_kind::fresh) backlog_ = op.parser.entries().size() == op.count;
    if (op.kind == read_kind::claim) after_claim(op, now);
    take_entries(op, now);
    if (op.kind == read_kind::own) after_own(op);
    if (spare_reads_.size() < depth_) spare_reads_.push_back(op.shared_from_this());  // its buffers serve again
}

void redis_consumer_session::read_refused(const std::string& text) {
    // The stream or its group was deleted under us: make it again and go on.
    if (text.starts_with("NOGROUP") || text.starts_with("UNBLOCKED")) {
        make_group();
    } else {
        events_.dead(failure::of(errc::server_error, "cannot read " + options_.topic + ": " + text));
    }
}

void redis_consumer_session::read_lost(read_op& op) {
    // Its entries may be pending in our name, unseen: on_reader_up() reads them again. The read may also have expired on
    // a connection that lives on.
    --reads_;
    credit_ += op.count;
    if (op.kind == read_kind::own) own_read_running_ = false;
    if (op.kind == read_kind::claim) claim_running_ = false;
    recovering_ = true;
    own_cursor_ = "0";
}

void redis_consumer_session::after_own(const read_op& op) {
    if (op.parser.entries().empty()) {
        recovering_ = false;
        forget_acked();
    } else {
        own_cursor_ = std::string(op.parser.name(op.parser.entries().back()));
    }
}

void redis_consumer_session::after_claim(const read_op& op, ns now) {
    trimmed_ += op.parser.trimmed();
    claim_cursor_ = op.parser.cursor().empty() ? "0-0" : op.parser.cursor();
    const bool finished = claim_cursor_ == "0-0";
    next_claim_ = finished ? now + std::max<ns>(options_.claim_idle / 2, std::chrono::milliseconds{10}) : now;
}

void redis_consumer_session::take_entries(read_op& op, ns now) {
    const auto& parser = op.parser;
    const bool again = op.kind != read_kind::fresh;
    const auto held = again ? held_keys() : std::unordered_set<std::uint64_t>{};
    std::size_t taken = 0;
    deliveries_.clear();
    for (const auto& e : parser.entries()) {
        if (again && held.contains(key_of(e.where))) continue;  // delivered, and still in the application's hands
        if (e.deleted) {                                        // nothing is left to deliver
            ++trimmed_;
            ack_away(parser.name(e));
            continue;
        }
        const std::uint64_t tag = first_tag_ + hands_.size();
        hands_.push_back({e.where, hand_state::held});
        auto id = parser.id(e);
        if (id.empty()) id = id_in_payload(parser.payload(e));
        if (id.empty()) id = parser.name(e);
        deliveries_.push_back({tag, id, parser.payload(e), parser.name(e), again});
        ++taken;
    }
    credit_ += op.count - std::min(op.count, taken);
    if (!deliveries_.empty()) events_.deliver(deliveries_, now);
}

std::unordered_set<std::uint64_t> redis_consumer_session::held_keys() const {
    std::unordered_set<std::uint64_t> keys;
    for (const auto& h : hands_) keys.insert(key_of(h.where));
    return keys;
}

void redis_consumer_session::ack(std::span<const std::uint64_t> tags) {
    auto& out = acker_.commands();
    while (!tags.empty()) {
        const auto some = tags.first(std::min(tags.size(), options_.batch));
        tags = tags.subspan(some.size());
        redis::append_array_header(out, 3 + some.size());
        redis::append_bulk(out, "XACK");
        redis::append_bulk(out, options_.topic);
        redis::append_bulk(out, options_.group);
        for (const auto tag : some) {
            auto& h = hands_[static_cast<std::size_t>(tag - first_tag_)];
            h.state = hand_state::acking;
            char text[48];
            redis::append_bulk(out, {text, format_stream_id(h.where, text)});
            acking_.push_back(tag);
        }
        acker_.expect_reply(std::make_shared<ack_op>(*this, some.size()), session::no_deadline, when_lost::replay);
        ++requests_;
    }
}

void redis_consumer_session::leave() {
    const std::string_view args[] = {"EVAL", leave_script, "1", options_.topic, options_.group, options_.name};
    redis::append_command(acker_.commands(), args);
    acker_.expect_reply(std::make_shared<redis::reply_handler>(), session::no_deadline, when_lost::fail);
}

// What was never delivered has no tag, and nobody waits for the reply.
void redis_consumer_session::ack_away(std::string_view entry) {
    const std::string_view args[] = {"XACK", options_.topic, options_.group, entry};
    redis::append_command(acker_.commands(), args);
    acker_.expect_reply(std::make_shared<redis::reply_handler>(), session::no_deadline, when_lost::replay);
    ++requests_;
}

void redis_consumer_session::acks_done(std::size_t count, ns now) {
    confirmed_.assign(acking_.begin(), acking_.begin() + static_cast<std::ptrdiff_t>(count));
    acking_.erase(acking_.begin(), acking_.begin() + static_cast<std::ptrdiff_t>(count));
    for (const auto tag : confirmed_) hands_[static_cast<std::size_t>(tag - first_tag_)].state = hand_state::acked;
    // While our pending entries are read again, an entry acked meanwhile may still be in the server's answer.
    if (!recovering_ && !claim_running_) forget_acked();
    events_.acked(confirmed_, now);
}

void redis_consumer_session::forget_acked() {
    while (!hands_.empty() && hands_.front().state == hand_state::acked) {
        hands_.pop_front();
        ++first_tag_;
    }
}

}  // namespace headrace::mq
