// A Future of something that becomes so: the asyncio side of a core object's when_...(notice&).
// Threads:  with the GIL.   Errors: as Python exceptions; what became of it is asked of the object.
#pragma once

#include <headrace/base/notice.hpp>

#include "future.hpp"

namespace headrace::bridge {

class noticed final : public pending_result, public notice {
public:
    PyObject* to_python() override { return Py_NewRef(Py_None); }
    void told() noexcept override { finish(*this); }
};

/// A headrace.Future that is done, with None, when `ask(notice&)` has it told. `ask` runs without the GIL.
template <class Ask>
pybind11::object future_of_notice(Ask ask) {
    auto* result = new noticed;
    auto future = pybind11::reinterpret_steal<pybind11::object>(make_future(result));
    if (!future) throw pybind11::error_already_set();
    const pybind11::gil_scoped_release nogil;
    ask(static_cast<notice&>(*result));
    return future;
}

}  // namespace headrace::bridge
