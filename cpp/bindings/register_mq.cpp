// headrace._core.mq: the produce and consume programs.
#include <headrace/mq/consume_program.hpp>
#include <headrace/mq/id.hpp>
#include <headrace/mq/produce_program.hpp>

#include "errors.hpp"
#include "link_counters.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

using mq::program;

measure::detail_level to_detail(const std::string& text) {
    if (text == "full") return measure::detail_level::full;
    if (text == "ledger") return measure::detail_level::ledger;
    if (text == "summary") return measure::detail_level::summary;
    throw failure_error(
        failure::of(errc::invalid_argument, "detail must be full, ledger or summary, not '" + text + "'"));
}

measure::arrivals to_arrivals(const std::string& text) {
    if (text == "constant") return measure::arrivals::constant;
    if (text == "poisson") return measure::arrivals::poisson;
    throw failure_error(
        failure::of(errc::invalid_argument, "arrivals must be constant or poisson, not '" + text + "'"));
}

// A count from Python: negative numbers get our own words, not a conversion error.
std::uint64_t to_count(const char* name, std::int64_t value) {
    if (value < 0) {
        throw failure_error(failure::of(errc::invalid_argument,
                                        std::string(name) + " must not be negative, got " + std::to_string(value)));
    }
    return static_cast<std::uint64_t>(value);
}

struct common_arguments {
    std::string url, topic;
    std::int64_t threads, batch;
    int csv_fd;
    std::string segment, detail;
    std::pair<std::int64_t, std::int64_t> anchor;
    double give_up_after;
};

void apply(const common_arguments& in, mq::program_options& out) {
    out.url = in.url;
    out.topic = in.topic;
    out.threads = to_count("threads", in.threads);
    out.batch = to_count("batch", in.batch);
    out.csv_fd = in.csv_fd;
    out.segment = in.segment;
    out.detail = to_detail(in.detail);
    out.anchor = {ns{in.anchor.first}, ns{in.anchor.second}};
    out.give_up_after = to_ns(in.give_up_after);
}

common_arguments common(const py::dict& d) {
    return {d["url"].cast<std::string>(),      d["topic"].cast<std::string>(),
            d["threads"].cast<std::int64_t>(), d["batch"].cast<std::int64_t>(),
            d["csv_fd"].cast<int>(),           d["segment"].cast<std::string>(),
            d["detail"].cast<std::string>(),   d["anchor"].cast<std::pair<std::int64_t, std::int64_t>>(),
            d["give_up_after"].cast<double>()};
}

py::dict stats(const program& p) {
    mq::program_progress now;
    ns cpu{0};
    {
        py::gil_scoped_release nogil;
        now = p.progress();
        cpu = p.cpu_time();
    }
    py::dict d;
    put_link(d, now.link);
    d["sent"] = now.sent;
    d["acked"] = now.acked;
    d["failed"] = now.failed;
    d["received"] = now.received;
    d["receive_acked"] = now.receive_acked;
    d["redelivered"] = now.redelivered;
    d["duplicates"] = now.duplicates;
    d["in_flight"] = now.in_flight;
    d["payload_bytes"] = now.payload_bytes;
    d["window_full_ns"] = now.window_full.count();
    d["first_ns"] = now.first.count();
    d["last_ns"] = now.last.count();
    d["cpu_ns"] = cpu.count();
    return d;
}

py::dict histograms(const program& p) {
    mq::program_histograms h;
    {
        py::gil_scoped_release nogil;
        h = p.histograms();
    }
    py::dict d;
    d["service"] = py::bytes(h.service.encode());
    d["response"] = py::bytes(h.response.encode());
    d["lateness"] = py::bytes(h.lateness.encode());
    return d;
}

void bind_common(py::class_<program, py::smart_holder>& c) {
    c.def("open",
          [](program& p) {
              failure bad;
              {
                  py::gil_scoped_release nogil;
                  bad = p.open();
              }
              throw_if(bad);
          })
        .def("wait_connected",
             [](program& p, double timeout) {
                 const bool done = wait_for(to_ns(timeout), [&](ns slice) { return p.wait_connected(slice); });
                 throw_if(p.failed());
                 return done;
             })
        .def(
            "start", [](program& p, std::int64_t at_ns) { p.start(ns{at_ns}); },
            py::call_guard<py::gil_scoped_release>())
        .def("wait", [](program& p,
                        double timeout) { return wait_for(to_ns(timeout), [&](ns slice) { return p.wait(slice); }); })
        .def("stop", &program::stop, py::call_guard<py::gil_scoped_release>())
        .def("close",
             [](program& p) {
                 failure bad;
                 {
                     py::gil_scoped_release nogil;
                     bad = p.close();
                 }
                 throw_if(bad);
             })
        .def("stats", &stats)
        .def("histograms", &histograms);
}

}  // namespace

void register_mq(py::module_& parent) {
    auto m = parent.def_submodule("mq", "Producing and consuming.");
    py::class_<program, py::smart_holder> base(m, "Program");
    bind_common(base);
    py::class_<mq::produce_program, program, py::smart_holder>(m, "ProduceProgram")
        .def(py::init([](const py::dict& d) {
            mq::produce_options o;
            apply(common(d), o);
            o.count = to_count("count", d["count"].cast<std::int64_t>());
            o.size = to_count("size", d["size"].cast<std::int64_t>());
            o.window = to_count("window", d["window"].cast<std::int64_t>());
            o.rate = d["rate"].cast<double>();
            o.arrivals = to_arrivals(d["arrivals"].cast<std::string>());
            o.payload = d["payload"].cast<std::string>();
            o.instance = d["instance"].cast<std::string>();
            o.seed = to_count("seed", d["seed"].cast<std::int64_t>());
            return std::make_unique<mq::produce_program>(std::move(o));
        }))
        .def_property_readonly("instance", [](const mq::produce_program& p) { return p.settings().instance; });
    py::class_<mq::consume_program, program, py::smart_holder>(m, "ConsumeProgram").def(py::init([](const py::dict& d) {
        mq::consume_options o;
        apply(common(d), o);
        o.count = to_count("count", d["count"].cast<std::int64_t>());
        o.group = d["group"].cast<std::string>();
        o.timeout = to_ns(d["timeout"].cast<double>());
        o.claim_idle = to_ns(d["claim_idle"].cast<double>());
        return std::make_unique<mq::consume_program>(std::move(o));
    }));
    m.def("random_instance", &mq::random_instance, "12 random characters: the first part of message ids.");
}

}  // namespace headrace::bindings
