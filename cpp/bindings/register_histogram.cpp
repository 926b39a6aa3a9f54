// headrace._core.measure.Histogram
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstdio>
#include <headrace/measure/histogram.hpp>
#include <string>
#include <utility>
#include <vector>

#include "errors.hpp"
#include "guarded.hpp"
#include "register_measure.hpp"

namespace headrace::bindings {
namespace {

using measure::histogram;
using shared_histogram = guarded<histogram>;

/// Signed integers of any width; floats and unsigned 64-bit would have to be bent to fit.
py::array_t<std::int64_t> as_int64(const py::array& values) {
    if (values.dtype().kind() != 'i') throw py::type_error("values must be an array of signed integers (nanoseconds)");
    return py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>(values);
}

void record_many(const shared_histogram& h, const py::array& values) {
    const auto contiguous = as_int64(values);
    const std::int64_t* data = contiguous.data();
    const auto n = static_cast<std::size_t>(contiguous.size());
    h.use([&](histogram& to) {
        for (std::size_t i = 0; i < n; ++i) to.record(data[i]);
    });
}

histogram copy_of(const shared_histogram& h) {
    return h.use([](const histogram& from) { return from; });
}

std::vector<std::int64_t> percentiles(const shared_histogram& h, const std::vector<double>& ps) {
    return h.use([&](const histogram& from) {
        std::vector<std::int64_t> out;
        for (const double p : ps) out.push_back(from.percentile(p));
        return out;
    });
}

/// A read-only view of the live counters.
py::array counts_view(const py::object& self) {
    const auto counts = self.cast<const shared_histogram&>().use([](const histogram& from) { return from.counts(); });
    py::array view(py::dtype::of<std::uint64_t>(), {counts.size()}, {sizeof(std::uint64_t)}, counts.data(), self);
    view.attr("flags").attr("writeable") = false;
    return view;
}

py::array bounds() {
    const std::size_t slots = histogram::slot_count();
    py::array_t<std::int64_t> edges(static_cast<py::ssize_t>(slots + 1));
    auto out = edges.mutable_unchecked<1>();
    for (std::size_t i = 0; i <= slots; ++i) out(static_cast<py::ssize_t>(i)) = histogram::lower_bound(i);
    return edges;
}

std::unique_ptr<shared_histogram> from_bytes(const py::bytes& bytes) {
    histogram h;
    throw_if(histogram::decode(std::string_view(bytes), h));
    return std::make_unique<shared_histogram>(std::move(h));
}

py::bytes to_bytes(const shared_histogram& h) {
    return py::bytes(h.use([](const histogram& from) { return from.encode(); }));
}

std::string to_hgrm(const shared_histogram& h, double unit, int ticks) {
    if (!(unit > 0.0) || ticks < 1 || ticks > 1000) {
        throw_if(failure::of(errc::invalid_argument, "unit must be above 0 ns and ticks between 1 and 1000"));
    }
    return h.use([&](const histogram& from) { return from.to_hgrm(unit, ticks); });
}

/// A duration with the unit that suits it: "850 ns", "12.3 us", "4.56 ms", "7.89 s".
std::string with_unit(double value_ns) {
    static constexpr std::pair<double, const char*> units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
    char text[40];
    for (const auto& [size, name] : units) {
        if (value_ns < size) continue;
        std::snprintf(text, sizeof text, "%.*f %s",
                      value_ns < 10 * size    ? 2
                      : value_ns < 100 * size ? 1
                                              : 0,
                      value_ns / size, name);
        return text;
    }
    std::snprintf(text, sizeof text, "%.0f ns", value_ns);
    return text;
}

/// What people look at first, as (name, text).
std::vector<std::pair<std::string, std::string>> overview(const histogram& h) {
    const auto show = [](std::int64_t value) { return with_unit(static_cast<double>(value)); };
    std::vector<std::pair<std::string, std::string>> rows{{"values", std::to_string(h.count())}};
    if (h.count() != 0) {
        rows.insert(rows.end(), {{"mean", with_unit(h.mean())},
                                 {"p50", show(h.percentile(50))},
                                 {"p90", show(h.percentile(90))},
                                 {"p99", show(h.percentile(99))},
                                 {"p99.9", show(h.percentile(99.9))},
                                 {"max", show(h.max())}});
    }
    if (h.below() != 0) rows.emplace_back("negative", std::to_string(h.below()));
    if (h.above() != 0) rows.emplace_back("over 1 h", std::to_string(h.above()));
    return rows;
}

std::string repr(const shared_histogram& h) {
    std::string text = "<Histogram";
    for (const auto& [name, value] : overview(copy_of(h))) text += (text.size() > 10 ? ", " : " ") + name + ' ' + value;
    return text + '>';
}

std::string repr_html(const shared_histogram& h) {
    std::string names;
    std::string values;
    for (const auto& [name, value] : overview(copy_of(h))) {
        names += "<th>" + name + "</th>";
        values += "<td>" + value + "</td>";
    }
    return "<table><tr>" + names + "</tr><tr>" + values + "</tr></table>";
}

void record_one(const shared_histogram& h, std::int64_t value, std::int64_t n) {
    if (n < 0) throw_if(failure::of(errc::invalid_argument, "n must not be negative"));
    h.use([&](histogram& to) { to.record_n(value, static_cast<std::uint64_t>(n)); });
}

template <auto Getter>
auto get(const shared_histogram& h) {
    return h.use([](const histogram& from) { return (from.*Getter)(); });
}

}  // namespace

void register_histogram(py::module_& m) {
    py::classh<shared_histogram>(
        m, "Histogram",
        "Durations of 0 ns to 1 h at three significant digits, in the slots of HdrHistogram.\n\n"
        "count, min, max, mean and stddev are exact. A percentile is at most 1/1024 above the true\n"
        "value and never below it. Values out of range are counted in below (negative) and above\n"
        "(over 1 h), nowhere else. Safe to share between threads; pickles.")
        .def(py::init<>())
        .def("record", &record_one, py::arg("value_ns"), py::arg("n") = 1, "Counts one duration in ns, `n` times.")
        .def("record_many", &record_many, py::arg("values_ns"),
             "Counts an array of signed integers (ns), any shape, without the GIL. TypeError for other types.")
        .def(
            "merge",
            [](const shared_histogram& h, const shared_histogram& other) {
                const histogram copy = copy_of(other);
                h.use([&](histogram& to) { to.merge(copy); });
            },
            py::arg("other"), "Adds all counts of another histogram.")
        .def(
            "reset", [](const shared_histogram& h) { h.use([](histogram& to) { to.reset(); }); }, "Forgets everything.")
        .def(
            "percentile",
            [](const shared_histogram& h, double p) {
                return h.use([p](const histogram& from) { return from.percentile(p); });
            },
            py::arg("p"), "ns that at least `p` percent of the values in range do not exceed; 0 when there are none.")
        .def("percentiles", &percentiles, py::arg("ps"), "percentile() of each, in ns, from one moment.")
        .def_property_readonly("count", &get<&histogram::count>, "Values in range.")
        .def_property_readonly("below", &get<&histogram::below>, "Negative values: an error of clocks or pairing.")
        .def_property_readonly("above", &get<&histogram::above>, "Values over one hour.")
        .def_property_readonly("total", &get<&histogram::total>, "count + below + above.")
        .def_property_readonly("min", &get<&histogram::min>, "Smallest value in range, ns, exact; 0 when empty.")
        .def_property_readonly("max", &get<&histogram::max>, "Largest value in range, ns, exact; 0 when empty.")
        .def_property_readonly("mean", &get<&histogram::mean>, "Mean of the values in range, ns, exact; 0 when empty.")
        .def_property_readonly("stddev", &get<&histogram::stddev>, "Sample standard deviation (n - 1), ns, exact.")
        .def_property_readonly("counts", &counts_view,
                               "uint64 array, shape (slots,): a read-only view that follows later recording.")
        .def_property_readonly_static(
            "bounds", [](const py::object&) { return bounds(); },
            "int64 array, shape (slots + 1,): slot i counts bounds[i] <= ns < bounds[i + 1].")
        .def("to_hgrm", &to_hgrm, py::arg("unit_ns") = 1e6, py::arg("ticks") = 5,
             "HdrHistogram's percentile distribution text, values divided by `unit_ns` (1e6: milliseconds).")
        .def("to_bytes", &to_bytes, "Compact bytes with a checksum, for another process.")
        .def_static("from_bytes", &from_bytes, py::arg("data"),
                    "The histogram in to_bytes(). InvalidArgument if damaged.")
        .def("__eq__",
             [](const shared_histogram& a, const shared_histogram& b) {
                 const histogram left = copy_of(a);
                 return b.use([&](const histogram& right) { return left == right; });
             })
        .def("__len__", &get<&histogram::count>)
        .def("__repr__", &repr)
        .def("_repr_html_", &repr_html)
        .def(py::pickle(&to_bytes, &from_bytes));
}

}  // namespace headrace::bindings
