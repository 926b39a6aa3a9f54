// The figures of summary.csv.   Threads: pure functions.
#pragma once

#include <headrace/measure/process.hpp>

namespace headrace::measure {

/// Ready for summary_rows(): nanoseconds for the first two, messages per second for the others.
struct run_figures {
    statistics processing, sending, received_per_s, sent_per_s;
};

std::vector<summary_row> summary_rows(const run_figures& figures, const ledger_counts& counts, verdict v);

}  // namespace headrace::measure
