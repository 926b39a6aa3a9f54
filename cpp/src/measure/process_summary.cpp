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
        out.push_back(
            {name + "_" + percentile_names[i], s.count != 0 ? latency_format::exact(s.percentiles[i]) : "", "ms"});
}

}  // namespace

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

}  // namespace headrace::measure
