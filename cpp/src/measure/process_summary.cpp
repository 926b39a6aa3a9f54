#include "process_summary.hpp"

#include <cmath>
#include <cstdio>
#include <headrace/measure/text.hpp>

namespace headrace::measure {
namespace {

constexpr std::array percentile_names{"p50", "p90", "p95", "p99", "p99.9", "p99.99"};
static_assert(percentile_names.size() == reported_percentiles.size());

std::string decimal(double v) {
    std::array<char, 64> text;
    std::snprintf(text.data(), text.size(), "%.6f", v);
    return text.data();
}

/// How values of one kind are written: exact ones, and those that were computed.
struct latency_format {
    static std::string exact(std::int64_t ns) {
        std::string out;
        append_ms(out, ns);
        return out;
    }
    static std::string computed(double ns) { return decimal(ns / 1e6); }
    static constexpr const char* unit = "ms";
};

struct rate_format {
    static std::string exact(std::int64_t v) { return std::to_string(v); }
    static std::string computed(double v) { return decimal(v); }
    static constexpr const char* unit = "messages/s";
};

template <class Format>
void add_four(std::vector<summary_row>& out, const std::string& name, const statistics& s) {
    const bool any = s.count != 0;
    out.push_back({name + "_min", any ? Format::exact(s.min) : "", Format::unit});
    out.push_back({name + "_max", any ? Format::exact(s.max) : "", Format::unit});
    out.push_back({name + "_avg", any ? Format::computed(s.avg) : "", Format::unit});
    out.push_back({name + "_stddev", s.stddev ? Format::computed(*s.stddev) : "", Format::unit});
}

void add_percentiles(std::vector<summary_row>& out, const std::string& name, const statistics& s) {
    for (std::size_t i = 0; i < percentile_names.size(); ++i)
        out.push_back({name + "_" + percentile_names[i], s.count != 0 ? latency_format::exact(s.percentiles[i]) : "", "ms"});
}

std::string plural(std::uint64_t n, const char* one, const char* many) {
    return std::to_string(n) + " " + (n == 1 ? one : many);
}

std::string nothing_joined(const ledger& l) {
    const ledger_counts& c = l.counts();
    if (c.sent == 0 && c.received == 0) return "nothing to join: neither the producers' nor the consumers' files hold a readable row";
    if (c.sent == 0) return "nothing to join: the producers' files hold no readable row";
    if (c.received == 0) return "nothing to join: the consumers' files hold no readable row";
    return "nothing to join: no id is in both the producers' files (such as '" + l.example(row_kind::sent).substr(0, 60) +
           "') and the consumers' (such as '" + l.example(row_kind::received).substr(0, 60) + "'); are they of the same run?";
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

std::vector<summary_row> summary_rows(const run_figures& f, const ledger_counts& counts, verdict v) {
    std::vector<summary_row> out;
    add_four<latency_format>(out, "processing_latency", f.processing);
    add_four<latency_format>(out, "send_time", f.sending);
    add_four<rate_format>(out, "processing_throughput", f.received_per_s);
    add_four<rate_format>(out, "send_throughput", f.sent_per_s);
    add_percentiles(out, "processing_latency", f.processing);
    add_percentiles(out, "send_time", f.sending);
    for (const count_field& c : count_fields) out.push_back({c.name, std::to_string(counts.*c.value), "count"});
    out.push_back({"verdict", name_of(v), ""});
    return out;
}

void judge(const ledger& l, process_result& result) {
    const ledger_counts& c = l.counts();
    result.counts = c;
    result.reasons.clear();
    if (c.matched == 0) {
        result.verdict = verdict::failed;
        result.reasons.push_back(nothing_joined(l));
        return;
    }
    if (c.lost != 0)
        result.reasons.push_back(plural(c.lost, "acknowledged message was", "acknowledged messages were") + " never received");
    if (c.orphaned != 0)
        result.reasons.push_back(plural(c.orphaned, "received id was", "received ids were") + " not sent by these producers");
    if (c.shared != 0) result.reasons.push_back(plural(c.shared, "id was", "ids were") + " sent by more than one producer");
    result.verdict = result.reasons.empty() ? verdict::valid : verdict::invalid;
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

}  // namespace headrace::measure
