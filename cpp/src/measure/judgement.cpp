// What the counts of a ledger mean for the run.
#include <headrace/measure/process.hpp>

namespace headrace::measure {
namespace {

std::string plural(std::uint64_t n, const char* one, const char* many) {
    return std::to_string(n) + " " + (n == 1 ? one : many);
}

std::string nothing_joined(const ledger& l) {
    const ledger_counts& c = l.counts();
    if (c.sent == 0 && c.received == 0)
        return "nothing to join: neither the producers' nor the consumers' files hold a readable row";
    if (c.sent == 0) return "nothing to join: the producers' files hold no readable row";
    if (c.received == 0) return "nothing to join: the consumers' files hold no readable row";
    return "nothing to join: no id is in both the producers' files (such as '" +
           l.example(row_kind::sent).substr(0, 60) + "') and the consumers' (such as '" +
           l.example(row_kind::received).substr(0, 60) + "'); are they of the same run?";
}

std::vector<std::string> warnings_of(const ledger& l) {
    std::vector<std::string> out;
    const ledger_counts& c = l.counts();
    for (std::size_t i = 0; i < l.sources(); ++i) {
        const unreadable_rows& u = l.unreadable(i);
        if (u.count == 0) continue;
        out.push_back(l.source(i).name() + ": " + plural(u.count, "row", "rows") + " could not be read" +
                      (u.count == 1 ? ": line " : "; the first is line ") + std::to_string(u.first_line) + ", which " +
                      u.first_reason);
    }
    if (c.unacked != 0)
        out.push_back(plural(c.unacked, "message was", "messages were") + " never acknowledged (" +
                      std::to_string(c.unacked_received) + " of them received)");
    if (c.negative_latency != 0)
        out.push_back(plural(c.negative_latency, "message was", "messages were") +
                      " received before being sent: the clocks of producer and consumer differ");
    if (c.negative_send_time != 0)
        out.push_back(plural(c.negative_send_time, "message was", "messages were") + " acknowledged before being sent");
    return out;
}

}  // namespace

const char* name_of(verdict v) noexcept {
    switch (v) {
        case verdict::valid: return "valid";
        case verdict::invalid: return "invalid";
        case verdict::failed: return "failed";
    }
    return "failed";
}

judgement judge(const ledger& l) {
    const ledger_counts& c = l.counts();
    judgement result;
    result.warnings = warnings_of(l);
    if (c.matched == 0) {
        result.verdict = verdict::failed;
        result.reasons.push_back(nothing_joined(l));
        return result;
    }
    if (c.lost != 0)
        result.reasons.push_back(plural(c.lost, "acknowledged message was", "acknowledged messages were") +
                                 " never received");
    if (c.orphaned != 0)
        result.reasons.push_back(plural(c.orphaned, "received id was", "received ids were") +
                                 " not sent by these producers");
    if (c.shared != 0)
        result.reasons.push_back(plural(c.shared, "id was", "ids were") + " sent by more than one producer");
    result.verdict = result.reasons.empty() ? verdict::valid : verdict::invalid;
    return result;
}

}  // namespace headrace::measure
