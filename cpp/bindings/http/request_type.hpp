// headrace.http.Request: what handlers get. A field becomes a Python object when it is asked for, and stays.
//
// It reads views: of the connection's buffer while an inline handler runs, of a copy that `keep` owns otherwise.
// Threads:  with the GIL.
// Lifetime: views outlive the object, or detach_request() copies them before they end.
// Errors:   Python errors.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <headrace/net/http_server.hpp>
#include <memory>
#include <string_view>

namespace headrace::bindings {

struct request_source {
    const net::http::request_head* head;
    std::string_view body;
    std::span<const net::http::router::param> params;
    std::string_view peer;
    net::http::responder* asker;         ///< null: `peer` says it
    const std::atomic<bool>* cancelled;  ///< null: never
    std::shared_ptr<const void> keep;    ///< owns the views; null: somebody else does
};

/// A new reference; null with an error set.
PyObject* make_request(request_source source);
/// The views of an inline request end: who still has the object gets copies. Takes the reference.
void detach_request(PyObject* request);

/// Adds the type and unpack_request(). Throws Python errors.
void register_request_type(pybind11::module_& m);

}  // namespace headrace::bindings
