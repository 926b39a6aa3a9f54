// The seed's data processor: producers' and consumers' CSVs in, four CSVs out, and a verdict.
//
//   latencies.csv   id,processing_ms,send_ms       every id sent, in the producers' order; empty where there is no time
//   throughput.csv  second,received,sent           per second from the first send on, silent seconds included
//   summary.csv     metric,value,unit              the seed's sixteen figures, percentiles, every count, the verdict
//   problems.csv    problem,id,file,line,detail    whatever is not one send, one ack and one receipt, in that order
//
// Processing latency runs from the earliest send of an id to its earliest receipt; send time from the earliest send to
// the earliest ack. Throughput figures are taken over all rows of throughput.csv, silent seconds included; standard
// deviations are the sample's; percentiles are exact, nearest rank.
// Threads:  process() uses its own for the time of the call.
// Errors:   failure when a file cannot be read or written, or times make no sense; then no output file is left behind.
// Stop:     `cancel`.
#pragma once

#include <atomic>
#include <headrace/measure/ledger.hpp>
#include <headrace/measure/statistics.hpp>
#include <string>
#include <vector>

namespace headrace::measure {

enum class verdict : std::uint8_t {
    valid,
    invalid,  ///< ids lost, orphaned or shared by two producers
    failed,   ///< nothing could be joined; no files are written
};

struct process_options {
    std::string out;                                  ///< folder, made when it is not there
    std::size_t memory_limit = std::size_t{1} << 30;  ///< see ledger_options
    std::size_t threads = 0;                          ///< see ledger_options
};

/// A line of summary.csv.
struct summary_row {
    std::string metric;
    std::string value;  ///< empty where it is not defined
    std::string unit;
};

const char* name_of(verdict v) noexcept;

/// The verdict on a joined ledger, with its reasons and warnings. `failed` only when no id was both sent and received.
struct judgement {
    measure::verdict verdict = verdict::failed;
    std::vector<std::string> reasons;   ///< why it is not valid
    std::vector<std::string> warnings;  ///< what else to know
};
judgement judge(const ledger& l);

struct process_result {
    measure::judgement judgement;
    std::vector<std::string> files;  ///< written
    ledger_counts counts;
    std::vector<summary_row> summary;
};

failure process(const std::vector<std::string>& producers, const std::vector<std::string>& consumers,
                const process_options& options, const std::atomic<bool>& cancel, process_result& result);

}  // namespace headrace::measure
