// Waiting without the GIL, in slices short enough that Ctrl-C works.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <headrace/base/clock.hpp>

namespace headrace::bindings {

inline constexpr ns wait_slice = std::chrono::milliseconds{50};

/// Seconds of the Python surface to ns; infinity and what does not fit become the largest duration.
inline ns to_ns(double seconds) {
    constexpr double most = 9.0e9;
    return std::chrono::duration_cast<ns>(std::chrono::duration<double>(std::clamp(seconds, 0.0, most)));
}

/// Calls done(slice) without the GIL until it returns true or `timeout` passed; raises what a signal handler raised.
template <class Done>
bool wait_for(ns timeout, Done done) {
    const ns deadline = monotonic_now() + timeout;
    for (;;) {
        bool is_done = false;
        const ns left = deadline - monotonic_now();
        {
            pybind11::gil_scoped_release nogil;
            is_done = done(std::clamp(left, ns{0}, wait_slice));
        }
        if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
        if (is_done) return true;
        if (left <= wait_slice) return false;
    }
}

}  // namespace headrace::bindings
