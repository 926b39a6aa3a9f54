#include "messages.hpp"

#include <charconv>

#include "names.hpp"

namespace headrace::bindings::asgi {
namespace {

bool is(std::string_view name, std::string_view lower) noexcept {
    return net::http::equal_ignoring_case(name, lower);
}

// By length first: this runs for every field of every response.
bool is_ours(std::string_view name) noexcept {
    switch (name.size()) {
        case 4: return is(name, "date");
        case 7: return is(name, "upgrade");
        case 10: return is(name, "connection") || is(name, "keep-alive");
        case 17: return is(name, "transfer-encoding");
        default: return false;
    }
}

bool read_length(std::string_view value, net::http::response& out) {
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc{} || end != value.data() + value.size() || n < 0 || out.content_length >= 0) {
        PyErr_SetString(PyExc_ValueError, "content-length must be one number");
        return false;
    }
    out.content_length = n;
    return true;
}

bool read_field(PyObject* pair, net::http::response& out) {
    PyObject* const fast = PySequence_Fast(pair, "a header is a pair of bytes");
    if (fast == nullptr) return false;
    bool good = false;
    if (PySequence_Fast_GET_SIZE(fast) != 2 || PyBytes_Check(PySequence_Fast_GET_ITEM(fast, 0)) == 0 ||
        PyBytes_Check(PySequence_Fast_GET_ITEM(fast, 1)) == 0) {
        PyErr_Format(PyExc_TypeError, "a header is a pair of bytes, not %R", pair);
    } else {
        PyObject* const name = PySequence_Fast_GET_ITEM(fast, 0);
        PyObject* const value = PySequence_Fast_GET_ITEM(fast, 1);
        const std::string_view n(PyBytes_AS_STRING(name), static_cast<std::size_t>(PyBytes_GET_SIZE(name)));
        const std::string_view v(PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value)));
        good = true;
        if (!net::http::is_token(n) || !net::http::is_field_value(v)) {
            PyErr_Format(PyExc_ValueError, "a header may not be sent: %R", pair);
            good = false;
        } else if (is(n, "content-length")) {
            good = read_length(v, out);
        } else if (is(n, "content-type") && out.content_type.empty()) {
            out.content_type.assign(v);
        } else if (!is_ours(n)) {
            out.fields.emplace_back(n, v);
        }
    }
    Py_DECREF(fast);
    return good;
}

}  // namespace

PyObject* find(PyObject* message, PyObject* key) {
    return PyDict_GetItemWithError(message, key);
}

PyObject* type_of(PyObject* message) {
    if (PyDict_Check(message) == 0) {
        PyErr_Format(PyExc_TypeError, "an ASGI message is a dict, not %.200s", Py_TYPE(message)->tp_name);
        return nullptr;
    }
    PyObject* const type = find(message, words().type);
    if (type == nullptr && PyErr_Occurred() == nullptr)
        PyErr_SetString(PyExc_ValueError, "an ASGI message has a 'type'");
    if (type != nullptr && PyUnicode_Check(type) == 0) {
        PyErr_SetString(PyExc_TypeError, "the type of an ASGI message is a str");
        return nullptr;
    }
    return type;
}

void raise_unexpected(PyObject* type, const char* state) {
    PyErr_Format(PyExc_RuntimeError, "unexpected ASGI message '%U': %s", type, state);
}

bool read_headers(PyObject* message, net::http::response& out) {
    PyObject* const given = find(message, words().headers);
    if (given == nullptr) return PyErr_Occurred() == nullptr;
    PyObject* const list = PySequence_Fast(given, "headers are an iterable of pairs of bytes");
    if (list == nullptr) return false;
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PySequence_Fast_GET_SIZE(list); ++i) {
        good = read_field(PySequence_Fast_GET_ITEM(list, i), out);
    }
    Py_DECREF(list);
    return good;
}

bool read_start(PyObject* message, net::http::response& out) {
    PyObject* const status = find(message, words().status);
    if (status == nullptr || PyLong_Check(status) == 0) {
        if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "http.response.start has an int 'status'");
        return false;
    }
    const long n = PyLong_AsLong(status);
    if (n < 200 || n > 599) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "the status %R is not one of 200 to 599", status);
        return false;
    }
    out.status = static_cast<unsigned>(n);
    PyObject* const trailers = find(message, words().trailers);
    if (trailers != nullptr && PyObject_IsTrue(trailers) != 0) {
        PyErr_SetString(PyExc_RuntimeError, "trailers are an extension that this server does not have");
        return false;
    }
    return PyErr_Occurred() == nullptr && read_headers(message, out);
}

body_of::~body_of() {
    if (has_buffer_) PyBuffer_Release(&buffer_);
}

bool body_of::read() {
    PyObject* const body = find(message_, words().body);
    if (body == nullptr) {
        if (PyErr_Occurred() != nullptr) return false;
    } else if (PyBytes_CheckExact(body) != 0) {
        bytes_ = {PyBytes_AS_STRING(body), static_cast<std::size_t>(PyBytes_GET_SIZE(body))};
    } else {
        if (PyObject_GetBuffer(body, &buffer_, PyBUF_SIMPLE) < 0) {
            PyErr_Format(PyExc_TypeError, "body is bytes, not %.200s", Py_TYPE(body)->tp_name);
            return false;
        }
        has_buffer_ = true;
        bytes_ = {static_cast<const char*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
    }
    PyObject* const more = find(message_, words().more_body);
    const int truth = more == nullptr ? 0 : PyObject_IsTrue(more);
    more_ = truth > 0;
    return truth >= 0 && PyErr_Occurred() == nullptr;
}

}  // namespace headrace::bindings::asgi
