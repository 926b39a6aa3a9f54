#include "process_rows.hpp"

#include <chrono>
#include <headrace/measure/text.hpp>
#include <headrace/measure/workers.hpp>

namespace headrace::measure {
namespace {

constexpr std::size_t most_waiting = 8 << 20;  // bytes a thread holds back before it waits for its turn

std::string ms(std::int64_t ns) {
    std::string out;
    append_ms(out, ns);
    return out + " ms";
}

std::string seconds(std::int64_t ns) {
    std::string out;
    append_seconds(out, ns);
    return out;
}

std::string numbered(std::uint8_t n) {
    return std::to_string(n) + (n == 31 ? " or later" : "");
}

}  // namespace

bool row_output::wait_turn(std::size_t unit, const std::atomic<bool>& cancel) {
    lock_guard lock(m_);
    while (turn_ != unit && !broken_ && !cancel.load(std::memory_order_relaxed))
        changed_.wait_for(m_, std::chrono::milliseconds(50));
    return turn_ == unit && !broken_;
}

bool row_output::is_turn(std::size_t unit) {
    lock_guard lock(m_);
    return turn_ == unit;
}

void row_output::end_turn() {
    lock_guard lock(m_);
    ++turn_;
    changed_.notify_all();
}

void row_output::give_up() {
    lock_guard lock(m_);
    broken_ = true;
    changed_.notify_all();
}

failure row_output::write(std::string_view latencies, std::string_view problems) {
    if (failure f = latencies_.write(latencies)) return f;
    return problems_.write(problems);
}

failure row_writer::begin(const replay_unit& unit) {
    unit_ = unit;
    latencies_.clear();
    problems_.clear();
    file_.clear();
    append_field(file_, ledger_.source(unit.source).name());
    return {};
}

void row_writer::row(const ledger_row& row, std::span<const match> matches) {
    for (const match& m : matches) {
        if (m.kind == match_kind::primary)
            message(row, m);
        else if (m.kind != match_kind::again)
            further(row, m);
    }
}

void row_writer::message(const ledger_row& row, const match& m) {
    const bool timed = m.sent != absent;
    const bool received = m.received != absent;
    const bool acked = m.acked != absent;
    const std::int64_t processing = received && timed ? m.received - m.sent : absent;
    const std::int64_t sending = acked && timed ? m.acked - m.sent : absent;
    append_field(latencies_, row.id);
    latencies_.push_back(',');
    append_ms(latencies_, processing);
    latencies_.push_back(',');
    append_ms(latencies_, sending);
    latencies_.push_back('\n');
    if (processing != absent) processing_.add(worker_, processing);
    if (sending != absent) sending_.add(worker_, sending);
    if (received && acked && processing >= 0 && sending >= 0) return;
    if (!received && acked) problem("lost", row, "acked at " + seconds(m.acked) + " and never received");
    if (!received && !acked) problem("unacked", row, "neither acked nor received");
    if (processing != absent && processing < 0)
        problem("negative_latency", row, ms(processing) + ": received before it was sent");
    if (sending != absent && sending < 0)
        problem("negative_send_time", row, ms(sending) + ": acked before it was sent");
}

void row_writer::further(const ledger_row& row, const match& m) {
    switch (m.kind) {
        case match_kind::retry: problem("retry", row, "sent again; the earliest send counts"); break;
        case match_kind::shared: problem("shared", row, "also sent by another producer"); break;
        case match_kind::duplicate:
            problem("duplicate", row,
                    "receipt " + numbered(m.number) + ", " + ms(m.received - m.sent) + " after the first");
            break;
        case match_kind::orphan: problem("orphan", row, "received but not sent by these producers"); break;
        case match_kind::primary:
        case match_kind::again: break;
    }
}

void row_writer::problem(std::string_view kind, const ledger_row& row, std::string_view detail) {
    problems_.append(kind).push_back(',');
    if (!row.id.empty()) append_field(problems_, row.id);
    problems_.append(",").append(file_).push_back(',');
    append_number(problems_, row.line);
    problems_.push_back(',');
    append_field(problems_, detail);
    problems_.push_back('\n');
}

void row_writer::unreadable(std::uint64_t line, const std::string& reason, bool torn) {
    ledger_row nothing;
    nothing.line = line;
    problem(torn ? "torn" : "unreadable", nothing, reason);
}

failure row_writer::write() {
    failure f = out_.write(latencies_, problems_);
    latencies_.clear();
    problems_.clear();
    return f;
}

failure row_writer::pause() {
    if (out_.is_turn(unit_.index)) return write();
    if (latencies_.size() + problems_.size() < most_waiting) return {};
    return out_.wait_turn(unit_.index, cancel_) ? write() : cancelled();
}

failure row_writer::end() {
    if (!out_.wait_turn(unit_.index, cancel_)) return cancelled();
    failure f = write();
    if (!f) out_.end_turn();
    return f;
}

}  // namespace headrace::measure
