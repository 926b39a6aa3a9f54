// The figures of summary.csv, and the judgement of a run.   Threads: pure functions.
#pragma once

#include <headrace/measure/process.hpp>

namespace headrace::measure {

/// Ready for summary_rows(): nanoseconds for the first two, messages per second for the others.
struct run_figures {
    statistics processing, sending, received_per_s, sent_per_s;
};

std::vector<summary_row> summary_rows(const run_figures& figures, const ledger_counts& counts, verdict v);

/// Sets verdict and reasons from the counts; `failed` only when nothing is shared.
void judge(const ledger& l, process_result& result);

/// What does not spoil the run but should be known.
std::vector<std::string> warnings_of(const ledger& l);

const char* name_of(verdict v) noexcept;

}  // namespace headrace::measure
