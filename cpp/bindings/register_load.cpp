// headrace._core.load: the load generator.
#include <pybind11/stl.h>

#include <headrace/load/http_load.hpp>

#include "errors.hpp"
#include "interruptible.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

using load::http_load;
using load::http_load_options;

std::size_t to_count(const char* name, const py::handle& v) {
    const auto n = v.cast<std::int64_t>();
    if (n < 0) throw_if(failure::of(errc::invalid_argument, std::string("load: ") + name + " must not be negative"));
    return static_cast<std::size_t>(n);
}

measure::arrivals to_arrivals(const std::string& kind) {
    if (kind == "poisson") return measure::arrivals::poisson;
    if (kind == "constant") return measure::arrivals::constant;
    throw failure_error(failure::of(errc::invalid_argument, "arrivals must be \"constant\" or \"poisson\""));
}

http_load_options to_options(const py::dict& d) {
    http_load_options o;
    for (const auto& item : d["requests"].cast<py::list>()) {
        const auto [url, method, body] = item.cast<std::tuple<std::string, std::string, std::string>>();
        o.requests.push_back({url, method, body});
    }
    o.headers = d["headers"].cast<std::vector<std::pair<std::string, std::string>>>();
    o.threads = to_count("threads", d["threads"]);
    o.users = to_count("users", d["users"]);
    o.rate = d["rate"].cast<double>();
    o.arrivals = to_arrivals(d["arrivals"].cast<std::string>());
    o.seed = d["seed"].cast<std::uint64_t>();
    o.duration = to_ns(d["duration"].cast<double>());
    o.count = to_count("count", d["count"]);
    o.warm_up = to_ns(d["warm_up"].cast<double>());
    o.ramp = to_ns(d["ramp"].cast<double>());
    o.think_least = to_ns(d["think_least"].cast<double>());
    o.think_most = to_ns(d["think_most"].cast<double>());
    o.timeout = to_ns(d["timeout"].cast<double>());
    o.drain = to_ns(d["drain"].cast<double>());
    o.keep_alive = d["keep_alive"].cast<bool>();
    o.random_order = d["random_order"].cast<bool>();
    for (const auto& [first, last] : d["expect_status"].cast<std::vector<std::pair<unsigned, unsigned>>>()) {
        o.expect_status.push_back({first, last});
    }
    o.expect_body = d["expect_body"].cast<std::string>();
    o.tls.verify = d["verify"].cast<bool>();
    o.tls.ca_file = d["ca_file"].cast<std::string>();
    o.tls.cert_file = d["cert_file"].cast<std::string>();
    o.tls.key_file = d["key_file"].cast<std::string>();
    o.csv_fd = d["csv_fd"].cast<int>();
    return o;
}

py::dict to_dict(const load::http_counts& c) {
    py::dict d;
    d["begun"] = c.begun;
    d["unsent"] = c.unsent;
    d["warm_up"] = c.warm_up;
    d["warm_up_failed"] = c.warm_up_failed;
    d["ok"] = c.ok;
    d["failed"] = c.failed;
    d["late_ok"] = c.late_ok;
    d["late_failed"] = c.late_failed;
    d["unfinished"] = c.unfinished;
    d["in_flight"] = c.in_flight;
    d["waited"] = c.waited;
    d["bytes"] = c.bytes;
    d["bytes_in"] = c.bytes_in;
    d["bytes_out"] = c.bytes_out;
    d["connects"] = c.connects;
    d["retried"] = c.retried;
    d["address_failures"] = c.address_failures;
    d["sources"] = c.sources;
    for (std::size_t i = 1; i < c.statuses.size(); ++i)
        d[py::str("status_" + std::to_string(i) + "xx")] = c.statuses[i];
    d["busy_ns"] = c.busy.count();
    return d;
}

py::dict to_dict(const load::http_load_result& r) {
    py::dict d;
    d["counts"] = to_dict(r.counts);
    py::dict outcomes, samples;
    for (std::size_t i = 0; i < load::outcome_count; ++i) {
        const std::string name(load::name_of(static_cast<load::outcome>(i)));
        outcomes[py::str(name)] = r.counts.outcomes[i];
        if (!r.samples[i].empty()) samples[py::str(name)] = r.samples[i];
    }
    d["outcomes"] = outcomes;
    d["samples"] = samples;
    d["response"] = py::bytes(r.histograms.response.encode());
    d["service"] = py::bytes(r.histograms.service.encode());
    d["connect"] = py::bytes(r.histograms.connect.encode());
    d["lateness"] = py::bytes(r.histograms.lateness.encode());
    py::list seconds, threads;
    for (const auto& s : r.seconds) seconds.append(py::make_tuple(s.ok, s.failed, s.bytes, s.longest.count()));
    for (const auto& t : r.threads) threads.append(py::make_tuple(t.cpu.count(), t.queued.count(), t.ran.count()));
    d["seconds"] = seconds;
    d["threads"] = threads;
    d["begin_ns"] = r.begin.count();
    d["end_ns"] = r.end.count();
    d["interrupted"] = r.interrupted;
    d["addresses"] = r.addresses;
    return d;
}

void close(http_load& l) {
    failure bad;
    {
        const py::gil_scoped_release nogil;
        bad = l.close();
    }
    throw_if(bad);
}

py::tuple progress(const http_load& l) {
    load::http_load_progress p;
    {
        const py::gil_scoped_release nogil;
        p = l.progress();
    }
    return py::make_tuple(to_dict(p.counts), p.responses.percentile(50), p.responses.percentile(99));
}

py::dict result(const http_load& l) {
    load::http_load_result r;
    {
        const py::gil_scoped_release nogil;
        r = l.result();
    }
    return to_dict(r);
}

// The last reference may be dropped with the GIL held; joining threads must not happen under it.
struct without_gil {
    void operator()(http_load* l) const {
        const py::gil_scoped_release nogil;
        delete l;
    }
};
using handle = std::unique_ptr<http_load, without_gil>;

struct http_program {
    handle native;
};

}  // namespace

void register_load(py::module_& parent) {
    auto m = parent.def_submodule("load", "Load generators.");
    py::classh<http_program>(m, "Http")
        .def(py::init([](const py::dict& options) {
                 return std::make_unique<http_program>(handle(new http_load(to_options(options))));
             }),
             py::arg("options"))
        .def("open",
             [](const http_program& p) {
                 run_interruptible([&](const std::atomic<bool>& cancel) { return p.native->open(cancel); });
             })
        .def(
            "start", [](const http_program& p, std::int64_t at_ns) { p.native->start(ns{at_ns}); }, py::arg("at_ns"),
            py::call_guard<py::gil_scoped_release>())
        .def(
            "wait",
            [](const http_program& p, double timeout) {
                return wait_for(to_ns(timeout), [&](ns slice) { return p.native->wait(slice); });
            },
            py::arg("timeout"))
        .def(
            "stop", [](const http_program& p) { p.native->stop(); }, py::call_guard<py::gil_scoped_release>())
        .def("close", [](const http_program& p) { close(*p.native); })
        .def("progress", [](const http_program& p) { return progress(*p.native); })
        .def("result", [](const http_program& p) { return result(*p.native); });
}

}  // namespace headrace::bindings
