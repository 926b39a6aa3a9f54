// headrace._core.ledger: the join of sent with received, and the data processor.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <headrace/measure/fold_id.hpp>
#include <headrace/measure/process.hpp>
#include <headrace/measure/samples.hpp>

#include "interruptible.hpp"
#include "registers.hpp"

namespace headrace::bindings {
namespace {

namespace m = headrace::measure;

py::dict counts_dict(const m::ledger_counts& counts) {
    py::dict d;
    for (const m::count_field& f : m::count_fields) d[f.name] = counts.*f.value;
    return d;
}

py::dict count_meanings() {
    py::dict d;
    for (const m::count_field& f : m::count_fields) d[f.name] = f.meaning;
    return d;
}

/// An array that owns the vector's memory. `width`: bytes an item, when it is not the element's own.
template <class T>
py::array as_array(std::vector<T>&& values, const py::dtype& type, std::size_t width = sizeof(T)) {
    auto* const owned = new std::vector<T>(std::move(values));
    const py::capsule owner(owned, [](void* p) { delete static_cast<std::vector<T>*>(p); });
    return py::array(type, {owned->size() * sizeof(T) / width}, {width}, owned->data(), owner);
}

template <class T>
py::array as_array(std::vector<T>&& values) {
    return as_array(std::move(values), py::dtype::of<T>());
}

py::dict samples_dict(m::sample_table&& t) {
    py::dict d;
    d["id"] = as_array(std::move(t.id), py::dtype("S40"), m::id_width);
    d["source"] = as_array(std::move(t.source));
    d["worker"] = as_array(std::move(t.worker));
    d["size"] = as_array(std::move(t.size));
    d["attempts"] = as_array(std::move(t.attempts));
    d["attempt"] = as_array(std::move(t.attempt));
    d["intended"] = as_array(std::move(t.intended));
    d["sent"] = as_array(std::move(t.sent));
    d["acked"] = as_array(std::move(t.acked));
    d["consumer"] = as_array(std::move(t.consumer));
    d["received"] = as_array(std::move(t.received));
    d["receive_acked"] = as_array(std::move(t.receive_acked));
    d["redelivered"] = as_array(std::move(t.redelivered), py::dtype("?"));
    d["error"] = as_array(std::move(t.error));
    return d;
}

/// Made joined: there is no half-way state to ask wrong questions of.
class joined_ledger {
public:
    joined_ledger(const std::vector<std::string>& producers, const std::vector<std::string>& consumers,
                  const std::vector<int>& owners, bool epoch, m::ledger_options options)
        : ledger_(std::move(options)), producers_(producers.size()) {
        if (!owners.empty() && owners.size() != producers.size())
            throw failure_error(failure::of(errc::invalid_argument, "owners: one number per producer file, or none"));
        std::vector<std::unique_ptr<m::row_source>> sources;
        throw_if(m::make_sources(producers, consumers, epoch, sources));
        for (std::size_t i = 0; i < sources.size(); ++i)
            ledger_.add(std::move(sources[i]), i < owners.size() ? owners[i] : -1);
        run_interruptible([&](const std::atomic<bool>& cancel) { return ledger_.join(cancel); });
    }

    const m::ledger& ledger() const noexcept { return ledger_; }
    m::judgement judgement() const { return m::judge(ledger_); }

    py::dict samples() const {
        m::sample_table table;
        run_interruptible(
            [&](const std::atomic<bool>& cancel) { return m::collect_samples(ledger_, producers_, cancel, table); });
        return samples_dict(std::move(table));
    }

private:
    m::ledger ledger_;
    std::size_t producers_;
};

std::unique_ptr<joined_ledger> join(const std::vector<std::string>& producers,
                                    const std::vector<std::string>& consumers, const std::vector<int>& owners,
                                    bool epoch, std::size_t memory_limit, std::size_t threads,
                                    const std::string& spill_folder) {
    m::ledger_options options;
    options.memory_limit = memory_limit;
    options.threads = threads;
    options.spill_folder = spill_folder;
    return std::make_unique<joined_ledger>(producers, consumers, owners, epoch, std::move(options));
}

py::dict throughput(const joined_ledger& l) {
    std::vector<std::uint64_t> received, sent;
    for (const m::second_count& s : l.ledger().seconds()) {
        received.push_back(s.received);
        sent.push_back(s.sent);
    }
    py::dict d;
    d["received"] = as_array(std::move(received));
    d["sent"] = as_array(std::move(sent));
    return d;
}

py::dict process(const std::vector<std::string>& producers, const std::vector<std::string>& consumers,
                 const std::string& out, std::size_t memory_limit, std::size_t threads) {
    m::process_result result;
    const m::process_options options{out, memory_limit, threads};
    run_interruptible(
        [&](const std::atomic<bool>& cancel) { return m::process(producers, consumers, options, cancel, result); });
    py::list summary;
    for (const m::summary_row& row : result.summary) summary.append(py::make_tuple(row.metric, row.value, row.unit));
    py::dict d;
    d["verdict"] = m::name_of(result.judgement.verdict);
    d["reasons"] = result.judgement.reasons;
    d["warnings"] = result.judgement.warnings;
    d["files"] = result.files;
    d["counts"] = counts_dict(result.counts);
    d["summary"] = summary;
    return d;
}

}  // namespace

void register_ledger(py::module_& parent) {
    py::module_ sub = parent.def_submodule("ledger", "The join of sent with received.");
    py::classh<joined_ledger>(sub, "Ledger",
                              "Sent rows joined with received ones; files are segments or CSVs, told apart by their "
                              "content. Times of segments stay monotonic unless `epoch`, or unless CSVs are there too.")
        .def(py::init(&join), py::arg("producers"), py::arg("consumers"), py::kw_only(),
             py::arg("owners") = std::vector<int>{}, py::arg("epoch") = false,
             py::arg("memory_limit") = std::size_t{1} << 30, py::arg("threads") = 0, py::arg("spill_folder") = "/tmp",
             "Reads and joins at once. `owners`: a number per producer file; files with the same number are one "
             "producer "
             "(an id in two of them is a retry, not shared).")
        .def_property_readonly(
            "counts", [](const joined_ledger& l) { return counts_dict(l.ledger().counts()); },
            "What became of every message; count_meanings() explains each.")
        .def_property_readonly(
            "verdict", [](const joined_ledger& l) { return m::name_of(l.judgement().verdict); },
            "\"valid\", \"invalid\" (lost, orphaned or shared ids) or \"failed\" (nothing joined).")
        .def_property_readonly(
            "reasons", [](const joined_ledger& l) { return l.judgement().reasons; },
            "Why the verdict is not valid, a sentence each.")
        .def_property_readonly(
            "warnings", [](const joined_ledger& l) { return l.judgement().warnings; },
            "What does not spoil the run but should be known.")
        .def("throughput", &throughput,
             "{\"received\", \"sent\"}: counts per second from the first send on, first receipts only. Empty for a run "
             "of more than 10 million seconds.")
        .def(
            "samples", &joined_ledger::samples,
            "Columns as numpy arrays, a row per receipt of an id (and one for an id without): in the producers' order, "
            "then the orphans. Times are int64 ns; the smallest int64 means absent.");
    sub.def("count_meanings", &count_meanings, "Name of each count -> one line that says what it counts.");
    sub.def("process", &process, py::arg("producers"), py::arg("consumers"), py::arg("out"), py::kw_only(),
            py::arg("memory_limit"), py::arg("threads"),
            "Join the files and write the four CSVs; see headrace.mq.process.");
}

}  // namespace headrace::bindings
