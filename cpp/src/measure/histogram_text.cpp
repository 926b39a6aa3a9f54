// The `.hgrm` text of a histogram: the columns that HdrHistogram's plotters read.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <headrace/measure/histogram.hpp>

namespace headrace::measure {
namespace {

template <class... Args>
void append(std::string& out, const char* format, Args... args) {
    char line[160];
    const int n = std::snprintf(line, sizeof line, format, args...);
    if (n > 0) out.append(line, std::min(static_cast<std::size_t>(n), sizeof line - 1));
}

/// The percentile after `p` when each halving of the distance to 100 is cut into `ticks` steps.
double step_after(double p, int ticks) {
    const double halvings = std::floor(std::log2(100.0 / (100.0 - p))) + 1.0;
    return p + 100.0 / (static_cast<double>(ticks) * std::exp2(halvings));
}

void append_row(std::string& out, double value, double percent, std::uint64_t seen) {
    const double fraction = percent / 100.0;
    append(out, "%12.3f %2.12f %10llu", value, fraction, static_cast<unsigned long long>(seen));
    if (percent < 100.0) append(out, " %14.2f", 1.0 / (1.0 - fraction));
    out += '\n';
}

}  // namespace

std::string histogram::to_hgrm(double unit, int ticks) const {
    std::string out;
    append(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    const auto all = static_cast<double>(count_);
    std::uint64_t seen = 0;
    double next = 0.0;
    for (std::size_t i = 0; i < slots; ++i) {
        if (counts_[i] == 0) continue;
        seen += counts_[i];
        const double value = static_cast<double>(std::min(lower_bound(i + 1) - 1, max_)) / unit;
        const double reached = 100.0 * static_cast<double>(seen) / all;
        if (seen == count_) {  // the slot of the maximum closes the table
            append_row(out, value, next, seen);
            append_row(out, value, 100.0, seen);
            break;
        }
        for (; next <= reached; next = step_after(next, ticks)) append_row(out, value, next, seen);
    }
    append(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean() / unit, stddev() / unit);
    append(out, "#[Max     = %12.3f, Total count    = %12llu]\n", static_cast<double>(max()) / unit,
           static_cast<unsigned long long>(count_));
    append(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", static_cast<int>(slots / half),
           static_cast<int>(2 * half));
    if (below_ + above_ != 0) {
        append(out, "#[Below 0 = %12llu, Above 1 h      = %12llu]\n", static_cast<unsigned long long>(below_),
               static_cast<unsigned long long>(above_));
    }
    return out;
}

}  // namespace headrace::measure
