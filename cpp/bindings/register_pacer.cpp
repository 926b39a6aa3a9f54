// headrace._core.measure.Pacer
#include <headrace/measure/pacer.hpp>
#include <limits>

#include "errors.hpp"
#include "guarded.hpp"
#include "register_measure.hpp"

namespace headrace::bindings {
namespace {

using measure::arrivals;
using measure::pacer;
using shared_pacer = guarded<pacer>;

arrivals to_arrivals(const std::string& name) {
    if (name == "constant") return arrivals::constant;
    if (name == "poisson") return arrivals::poisson;
    throw failure_error(
        failure::of(errc::invalid_argument, "arrivals must be \"constant\" or \"poisson\", not \"" + name + '"'));
}

std::unique_ptr<shared_pacer> make_pacer(double rate, std::int64_t start_ns, const std::string& kind,
                                         std::uint64_t seed) {
    throw_if(pacer::check(rate));
    return std::make_unique<shared_pacer>(rate, ns{start_ns}, to_arrivals(kind), seed);
}

std::string repr(const shared_pacer& p) {
    return p.use([](const pacer& from) {
        const std::string kind = from.kind() == arrivals::poisson ? "poisson" : "constant";
        std::string rate = std::to_string(from.rate());
        rate.erase(rate.find_last_not_of('0') + 1);
        if (rate.back() == '.') rate.pop_back();
        return "<Pacer " + rate + "/s " + kind + ", " + std::to_string(from.issued()) + " issued>";
    });
}

template <auto Getter>
auto get(const shared_pacer& p) {
    return p.use([](pacer& from) { return (from.*Getter)(); });
}

}  // namespace

void register_pacer(py::module_& m) {
    py::classh<shared_pacer>(
        m, "Pacer",
        "The absolute schedule of a load: item n is meant to start at start_ns + n / rate.\n\n"
        "Neither rounding nor lateness shifts later items. With arrivals=\"poisson\" the gaps are\n"
        "exponential and follow from the seed. It reads no clock and never sleeps.")
        .def(py::init(&make_pacer), py::arg("rate"), py::arg("start_ns") = 0, py::kw_only(),
             py::arg("arrivals") = "constant", py::arg("seed") = 0,
             "`rate` items per second. InvalidArgument for a rate of 0 or above 1e9.")
        .def(
            "peek", [](const shared_pacer& p) { return get<&pacer::peek>(p).count(); },
            "Intended time of the next item, ns.")
        .def(
            "next", [](const shared_pacer& p) { return get<&pacer::next>(p).count(); },
            "The intended time of the next item, ns; moves on to the item after it.")
        .def(
            "due",
            [](const shared_pacer& p, std::int64_t now_ns, std::size_t limit) {
                return p.use([&](const pacer& from) { return from.due(ns{now_ns}, limit); });
            },
            py::arg("now_ns"), py::arg("limit") = std::numeric_limits<std::int64_t>::max(),
            "Items whose intended time has come and that next() has not returned, counted up to `limit`.")
        .def_property_readonly("issued", &get<&pacer::issued>, "Items that next() has returned.")
        .def_property_readonly("rate", &get<&pacer::rate>, "Items per second.")
        .def("__repr__", &repr);
}

}  // namespace headrace::bindings
