// Messages of an application into values: what is missing or of a wrong type is raised in the application.
// Threads:  with the GIL.   Errors: false, with a Python error set that names the key.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/net/http_response_writer.hpp>
#include <string>
#include <string_view>

namespace headrace::bindings::asgi {

/// message[key]: borrowed; null without an error when there is none.
PyObject* find(PyObject* message, PyObject* key);
/// message["type"], borrowed; null with an error set when it is no dict or has none.
PyObject* type_of(PyObject* message);
/// Raises that `type` cannot be sent now.
void raise_unexpected(PyObject* type, const char* state);

/// Status and fields. What is the server's business (framing, connection, date) is left out; Content-Length is read.
bool read_start(PyObject* message, net::http::response& out);
/// Appends to `out.fields`, as above.
bool read_headers(PyObject* message, net::http::response& out);

/// Of a message with content.
class body_of {
public:
    explicit body_of(PyObject* message) noexcept : message_(message) {}
    ~body_of();
    body_of(const body_of&) = delete;
    body_of& operator=(const body_of&) = delete;
    bool read();
    std::string_view bytes() const noexcept { return bytes_; }
    bool more() const noexcept { return more_; }

private:
    PyObject* const message_;
    std::string_view bytes_;
    Py_buffer buffer_{};
    bool has_buffer_ = false;
    bool more_ = false;
};

}  // namespace headrace::bindings::asgi
