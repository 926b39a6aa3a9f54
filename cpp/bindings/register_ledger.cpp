// headrace._core.ledger: the join of sent with received, and the data processor.
#include <pybind11/stl.h>

#include <headrace/measure/process.hpp>

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

const char* verdict_name(m::verdict v) {
    return v == m::verdict::valid ? "valid" : v == m::verdict::invalid ? "invalid" : "failed";
}

py::dict result_dict(const m::process_result& r) {
    py::list summary;
    for (const m::summary_row& row : r.summary) summary.append(py::make_tuple(row.metric, row.value, row.unit));
    py::dict d;
    d["verdict"] = verdict_name(r.verdict);
    d["reasons"] = r.reasons;
    d["warnings"] = r.warnings;
    d["files"] = r.files;
    d["counts"] = counts_dict(r.counts);
    d["summary"] = summary;
    return d;
}

py::dict process(const std::vector<std::string>& producers, const std::vector<std::string>& consumers,
                 const std::string& out, std::size_t memory_limit, std::size_t threads) {
    m::process_result result;
    const m::process_options options{out, memory_limit, threads};
    run_interruptible([&](const std::atomic<bool>& cancel) { return m::process(producers, consumers, options, cancel, result); });
    return result_dict(result);
}

}  // namespace

void register_ledger(py::module_& parent) {
    py::module_ sub = parent.def_submodule("ledger", "The join of sent with received.");
    sub.def("process", &process, py::arg("producers"), py::arg("consumers"), py::arg("out"), py::kw_only(),
            py::arg("memory_limit"), py::arg("threads"),
            "Join the CSVs and write the four output files; see headrace.mq.process.");
}

}  // namespace headrace::bindings
