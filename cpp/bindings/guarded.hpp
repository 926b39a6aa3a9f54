// A C++ object that Python threads share: every use releases the GIL first and then takes the object's own lock, so
// nobody waits for one of our locks with the GIL held, and the object stays whole under free threading.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/base/mutex.hpp>
#include <utility>

namespace headrace::bindings {

template <class T>
class guarded {
public:
    template <class... Args>
    explicit guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

    /// Calls `f(T&)` without the GIL; `f` must not touch Python.
    template <class F>
    auto use(F&& f) const {
        const pybind11::gil_scoped_release nogil;
        const lock_guard lock(m_);
        return f(value_);
    }

private:
    mutable mutex m_;
    mutable T value_ HEADRACE_GUARDED_BY(m_);
};

}  // namespace headrace::bindings
