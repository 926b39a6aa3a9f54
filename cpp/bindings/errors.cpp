#include "errors.hpp"

#include <pybind11/gil_safe_call_once.h>

#include "registers.hpp"

namespace headrace::bindings {
namespace {

const char* class_name(const std::error_code& code) {
    if (code.category() != error_category()) return "HeadraceError";
    switch (static_cast<errc>(code.value())) {
        case errc::invalid_argument: return "InvalidArgument";
        case errc::closed: return "Closed";
        case errc::queue_full: return "QueueFull";
        case errc::timed_out: return "DeadlineExceeded";
        case errc::maybe_executed: return "MaybeExecuted";
        case errc::connection_failed: return "ConnectionFailed";
        case errc::authentication_failed: return "AuthenticationFailed";
        case errc::server_error: return "ServerError";
        case errc::protocol_error: return "ProtocolError";
        case errc::not_found: return "NotFound";
        case errc::io_error: return "IoError";
        case errc::feature_not_built: return "FeatureNotBuilt";
        case errc::cancelled: return "Cancelled";
        case errc::bad_result: return "BadResult";
        case errc::forked: return "Forked";
        case errc::user_error: return "UserError";
        case errc::dependency_failed: return "DependencyFailed";
        case errc::worker_lost: return "WorkerLost";
    }
    return "HeadraceError";
}

const py::module_& errors_module() {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::module_> storage;
    return storage.call_once_and_store_result([] { return py::module_::import("headrace.errors"); }).get_stored();
}

}  // namespace

void* make_exception(const failure& f) {
    return errors_module().attr(class_name(f.code))(f.message).release().ptr();
}

void register_errors(py::module_&) {
    py::register_local_exception_translator([](std::exception_ptr p) {
        try {
            if (p) std::rethrow_exception(p);
        } catch (const failure_error& e) {
            const py::object cls = errors_module().attr(class_name(e.code()));
            PyErr_SetString(cls.ptr(), e.what());
        }
    });
}

}  // namespace headrace::bindings
