#include "python_half.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

python_half loaded{};

PyObject* take(const py::module_& m, const char* name) {
    return m.attr(name).cast<py::object>().release().ptr();
}

}  // namespace

void import_python_half() {
    if (loaded.headers != nullptr) return;
    const auto fields = py::module_::import("headrace.http.fields");
    const auto results = py::module_::import("headrace.http.response");
    const auto failures = py::module_::import("headrace.http.failures");
    python_half h{};
    h.query_params = take(fields, "query_params");
    h.json_loads = take(fields, "json_loads");
    h.json_dumps = take(fields, "json_dumps");
    h.http_error = take(failures, "HTTPError");
    h.answer_error = take(failures, "answer_error");
    h.log_text = take(failures, "log_text");
    h.response = take(results, "Response");
    h.accepted = take(results, "Accepted");
    h.unpack_request = take(py::module_::import("headrace._core").attr("http"), "unpack_request");
    h.headers = take(fields, "Headers");
    loaded = h;
}

void import_loop_half() {
    if (loaded.stream_to != nullptr) return;
    const auto coroutines = py::module_::import("headrace.http.coroutines");
    loaded.cancelled_error = take(py::module_::import("asyncio"), "CancelledError");
    loaded.run_accepted = take(coroutines, "run_accepted");
    loaded.stream_to = take(coroutines, "stream_to");
}

const python_half& half() noexcept {
    return loaded;
}

}  // namespace headrace::bindings
