// headrace._core: version, build configuration, clocks.
#include <headrace/base/clock.hpp>
#include <headrace/net/runtime.hpp>

#include "registers.hpp"

namespace headrace::bindings {
namespace {

py::dict build_config() {
    py::dict d;
    d["version"] = HEADRACE_VERSION;
    d["compiler"] = __VERSION__;
    d["boost"] = HEADRACE_BOOST_VERSION;
    d["hiredis"] = HEADRACE_HIREDIS_VERSION;
    d["openssl"] = HEADRACE_OPENSSL_VERSION;
    d["assertions"] =
#ifdef NDEBUG
        false;
#else
        true;
#endif
    return d;
}

}  // namespace

void register_base(py::module_& m) {
    m.def("build_config", &build_config, "Versions and switches that this module was built with.");
    m.def("monotonic_ns", [] { return monotonic_now().count(); }, "CLOCK_MONOTONIC in nanoseconds.");
    m.def(
        "clock_anchor",
        [] {
            const auto a = clock_anchor::now();
            return py::make_tuple(a.monotonic.count(), a.epoch.count());
        },
        "(monotonic_ns, epoch_ns) read at one moment.");
    m.def("stop_runtime", &net::runtime::stop_shared, py::call_guard<py::gil_scoped_release>(),
          "Stops the default runtime's I/O threads; called at exit.");
}

}  // namespace headrace::bindings
