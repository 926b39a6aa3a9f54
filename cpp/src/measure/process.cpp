#include <headrace/measure/process.hpp>

#include <filesystem>
#include <headrace/measure/text.hpp>
#include <headrace/measure/workers.hpp>
#include <memory>

#include "process_rows.hpp"
#include "process_summary.hpp"

namespace headrace::measure {
namespace {

namespace fs = std::filesystem;

failure make_folder(const std::string& out) {
    std::error_code e;
    fs::create_directories(out, e);
    if (e) return failure::of(errc::io_error, "cannot make the folder " + out + ": " + e.message());
    return {};
}

std::string where(const ledger& l, const stamped_row& r) {
    return l.source(r.source).name() + ":" + std::to_string(r.line);
}

/// A stray time (a row of another year, a counter instead of a clock) would mean millions of silent seconds.
failure check_span(const ledger& l) {
    if (!l.overlong()) return {};
    const ledger_span& s = l.span();
    const stamped_row& end = s.last_received.time > s.last_sent.time ? s.last_received : s.last_sent;
    const std::int64_t length = end.time / 1'000'000'000 - s.first_sent.time / 1'000'000'000;
    return failure::of(errc::invalid_argument, "the run would last " + std::to_string(length) + " s, from " +
                                                   where(l, s.first_sent) + " to " + where(l, end) +
                                                   ": one of these times must be wrong");
}

/// The four output files, all or none of which appear.
class output_files {
public:
    explicit output_files(const std::string& folder) {
        for (const char* name : {"latencies.csv", "throughput.csv", "summary.csv", "problems.csv"})
            files_.push_back(std::make_unique<out_file>((fs::path(folder) / name).string()));
    }
    out_file& latencies() { return *files_[0]; }
    out_file& throughput() { return *files_[1]; }
    out_file& summary() { return *files_[2]; }
    out_file& problems() { return *files_[3]; }

    failure open() {
        for (auto& f : files_)
            if (failure e = f->open()) return e;
        return {};
    }
    failure commit(std::vector<std::string>& names) {
        for (auto& f : files_) {
            if (failure e = f->commit()) return e;
            names.push_back(f->path());
        }
        return {};
    }

private:
    std::vector<std::unique_ptr<out_file>> files_;
};

failure write_rows(const ledger& l, output_files& files, value_log& processing, value_log& sending,
                   const std::atomic<bool>& cancel) {
    if (failure f = files.latencies().write("id,processing_ms,send_ms\n")) return f;
    if (failure f = files.problems().write("problem,id,file,line,detail\n")) return f;
    row_output out(files.latencies(), files.problems());
    std::vector<std::unique_ptr<row_writer>> writers;
    std::vector<replay_visitor*> visitors;
    for (std::size_t w = 0; w < l.workers(); ++w) {
        writers.push_back(std::make_unique<row_writer>(w, l, out, processing, sending, cancel));
        visitors.push_back(writers.back().get());
    }
    return l.replay(visitors, cancel);
}

failure write_throughput(const std::vector<second_count>& seconds, out_file& file) {
    std::string text = "second,received,sent\n";
    for (std::size_t i = 0; i < seconds.size(); ++i) {
        append_number(text, i);
        text.push_back(',');
        append_number(text, seconds[i].received);
        text.push_back(',');
        append_number(text, seconds[i].sent);
        text.push_back('\n');
        if (text.size() < (1 << 20)) continue;
        if (failure f = file.write(text)) return f;
        text.clear();
    }
    return file.write(text);
}

failure write_summary(const std::vector<summary_row>& rows, out_file& file) {
    std::string text = "metric,value,unit\n";
    for (const summary_row& r : rows) text += r.metric + "," + r.value + "," + r.unit + "\n";
    return file.write(text);
}

statistics rates(const std::vector<second_count>& seconds, std::uint64_t second_count::*column) {
    std::vector<std::int64_t> values;
    values.reserve(seconds.size());
    for (const second_count& s : seconds) values.push_back(static_cast<std::int64_t>(s.*column));
    return summarize(values);
}

failure write_all(const ledger& l, const process_options& options, const std::atomic<bool>& cancel,
                  process_result& result) {
    output_files files(options.out);
    if (failure f = files.open()) return f;
    block_pool pool(options.memory_limit / 2);
    value_log processing(pool, l.workers(), options.out);
    value_log sending(pool, l.workers(), options.out);
    if (failure f = write_rows(l, files, processing, sending, cancel)) return f;
    run_figures figures;
    if (failure f = processing.summarize(figures.processing)) return f;
    if (failure f = sending.summarize(figures.sending)) return f;
    figures.received_per_s = rates(l.seconds(), &second_count::received);
    figures.sent_per_s = rates(l.seconds(), &second_count::sent);
    result.summary = summary_rows(figures, result.counts, result.judgement.verdict);
    if (failure f = write_throughput(l.seconds(), files.throughput())) return f;
    if (failure f = write_summary(result.summary, files.summary())) return f;
    if (cancel.load(std::memory_order_relaxed)) return cancelled();
    return files.commit(result.files);
}

}  // namespace

failure process(const std::vector<std::string>& producers, const std::vector<std::string>& consumers,
                const process_options& options, const std::atomic<bool>& cancel, process_result& result) {
    result = {};
    ledger_options lo;
    lo.memory_limit = options.memory_limit;
    lo.threads = options.threads;
    lo.spill_folder = options.out;
    ledger l(lo);
    std::vector<std::unique_ptr<row_source>> sources;
    if (failure f = make_sources(producers, consumers, /*epoch=*/true, sources)) return f;
    for (auto& s : sources) l.add(std::move(s));
    if (failure f = make_folder(options.out)) return f;
    if (failure f = l.join(cancel)) return f;
    result.counts = l.counts();
    result.judgement = judge(l);
    if (result.judgement.verdict == verdict::failed) return {};
    if (failure f = check_span(l)) return f;
    return write_all(l, options, cancel, result);
}

}  // namespace headrace::measure
