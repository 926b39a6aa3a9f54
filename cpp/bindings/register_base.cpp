// headrace._core: version, build configuration, clocks.
#include <headrace/base/clock.hpp>
#include <headrace/net/runtime.hpp>

#include "build_info.hpp"
#include "registers.hpp"

namespace headrace::bindings {
namespace {

py::dict build_config() {
    py::dict d;
    d["version"] = build_version;
    d["compiler"] = __VERSION__;
    d["build_type"] = build_type;
    d["flags"] = build_flags;
    d["sanitizers"] = build_sanitizers;
    d["boost"] = boost_version;
    d["hiredis"] = hiredis_version;
    d["openssl"] = openssl_version;
    d["xxhash"] = xxhash_version;
    d["assertions"] =
#ifdef NDEBUG
        false;
#else
        true;
#endif
    return d;
}

py::list features() {
    py::list rows;
    for (const auto& f : build_features) rows.append(py::make_tuple(f.name, f.built, f.library, f.apt, f.option));
    return rows;
}

}  // namespace

void register_base(py::module_& m) {
    m.def("build_config", &build_config, "Versions and flags that this module was built with.");
    m.def("features", &features, "(name, built, library, Debian package, CMake switch) of every feature.");
    m.def(
        "monotonic_ns", [] { return monotonic_now().count(); }, "CLOCK_MONOTONIC in nanoseconds.");
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
