#include "answer.hpp"

#include "../python_error.hpp"
#include "python_half.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

constexpr std::string_view binary = "application/octet-stream";
constexpr std::string_view plain = "text/plain; charset=utf-8";
constexpr std::string_view json = "application/json";

std::string_view bytes_of(PyObject* o) {
    return {PyBytes_AS_STRING(o), static_cast<std::size_t>(PyBytes_GET_SIZE(o))};
}

bool utf8_of(PyObject* text, std::string_view& out) {
    Py_ssize_t n = 0;
    const char* const data = PyUnicode_AsUTF8AndSize(text, &n);
    if (data == nullptr) return false;
    out = {data, static_cast<std::size_t>(n)};
    return true;
}

bool copy_buffer(PyObject* o, std::string& out) {
    Py_buffer view;
    if (PyObject_GetBuffer(o, &view, PyBUF_SIMPLE) != 0) return false;
    out.assign(static_cast<const char*>(view.buf), static_cast<std::size_t>(view.len));
    PyBuffer_Release(&view);
    return true;
}

bool text_of(PyObject* o, std::string& out) {
    std::string_view text;
    if (!PyUnicode_Check(o)) {
        PyErr_Format(PyExc_TypeError, "a header field is a pair of str, not %R", o);
        return false;
    }
    if (!utf8_of(o, text)) return false;
    out = text;
    return true;
}

// headers of a Response: a mapping, or pairs.
bool add_headers(PyObject* headers, net::http::response& out) {
    if (headers == Py_None) return true;
    PyObject* const pairs = PyMapping_Check(headers) != 0 && PyObject_HasAttrString(headers, "items") != 0
                                ? PyObject_CallMethod(headers, "items", nullptr)
                                : Py_NewRef(headers);
    PyObject* const iterator = pairs == nullptr ? nullptr : PyObject_GetIter(pairs);
    Py_XDECREF(pairs);
    if (iterator == nullptr) return false;
    bool good = true;
    while (PyObject* const pair = good ? PyIter_Next(iterator) : nullptr) {
        PyObject* const both = PySequence_Fast(pair, "a header field is a pair of str");
        std::string name, value;
        good = both != nullptr && PySequence_Fast_GET_SIZE(both) == 2 &&
               text_of(PySequence_Fast_GET_ITEM(both, 0), name) && text_of(PySequence_Fast_GET_ITEM(both, 1), value);
        if (good) out.fields.emplace_back(std::move(name), std::move(value));
        if (!good && PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "a header field is a pair of str");
        Py_XDECREF(both);
        Py_DECREF(pair);
    }
    Py_DECREF(iterator);
    return good && PyErr_Occurred() == nullptr;
}

bool check_response(const net::http::response& r) {
    if (r.status < 200 || r.status > 599) {
        PyErr_Format(PyExc_ValueError, "the status of a Response is 200 to 599, not %u", r.status);
        return false;
    }
    const auto bad = net::http::check_fields(r);
    if (!bad.empty()) {
        PyErr_Format(PyExc_ValueError, "the header field %s cannot be sent", std::string(bad).c_str());
        return false;
    }
    return true;
}

bool to_content(PyObject* body, answer& out) {
    std::string_view type, content;
    PyObject* owner = nullptr;
    if (view_of(body, type, content, owner)) {
        out.head.body = content;
        if (out.head.content_type.empty()) out.head.content_type = type;
        Py_XDECREF(owner);
        return true;
    }
    if (PyErr_Occurred() != nullptr) return false;
    if (PyObject_CheckBuffer(body) != 0) {
        if (out.head.content_type.empty()) out.head.content_type = binary;
        return copy_buffer(body, out.head.body);
    }
    const bool iterates = PyIter_Check(body) != 0;
    const auto* async = Py_TYPE(body)->tp_as_async;
    if (iterates || (async != nullptr && async->am_anext != nullptr)) {
        out.what = iterates ? answer::kind::stream : answer::kind::async_stream;
        out.rest = held_object(Py_NewRef(body));
        if (out.head.content_type.empty()) out.head.content_type = binary;
        return true;
    }
    PyErr_Format(PyExc_TypeError,
                 "a handler returned %.100s; it may return bytes, str, dict, list, None, Response, Accepted or a "
                 "generator",
                 Py_TYPE(body)->tp_name);
    return false;
}

bool from_response(PyObject* response, answer& out) {
    PyObject* const status = PyObject_GetAttrString(response, "status");
    PyObject* const headers = PyObject_GetAttrString(response, "headers");
    PyObject* const type = PyObject_GetAttrString(response, "content_type");
    PyObject* const body = PyObject_GetAttrString(response, "body");
    bool good = status != nullptr && headers != nullptr && type != nullptr && body != nullptr;
    if (good) {
        const long number = PyLong_AsLong(status);
        good = !(number == -1 && PyErr_Occurred() != nullptr) && add_headers(headers, out.head) &&
               (type == Py_None || text_of(type, out.head.content_type)) && (body == Py_None || to_content(body, out));
        out.head.status = number < 0 || number > 999 ? 0 : static_cast<unsigned>(number);
        good = good && check_response(out.head);
    }
    Py_XDECREF(status);
    Py_XDECREF(headers);
    Py_XDECREF(type);
    Py_XDECREF(body);
    return good;
}

}  // namespace

bool view_of(PyObject* result, std::string_view& content_type, std::string_view& content, PyObject*& owner) {
    owner = nullptr;
    if (PyBytes_Check(result)) {
        content_type = binary;
        content = bytes_of(result);
        return true;
    }
    if (PyUnicode_Check(result)) {
        content_type = plain;
        return utf8_of(result, content);
    }
    if (!PyDict_Check(result) && !PyList_Check(result)) return false;
    content_type = json;
    owner = PyObject_CallOneArg(half().json_dumps, result);
    if (owner != nullptr && utf8_of(owner, content)) return true;
    Py_CLEAR(owner);
    return false;
}

bool to_answer(PyObject* result, answer& out) {
    if (result == Py_None) {
        out.head.status = 204;
        return true;
    }
    if (PyObject_TypeCheck(result, reinterpret_cast<PyTypeObject*>(half().response))) return from_response(result, out);
    if (PyObject_TypeCheck(result, reinterpret_cast<PyTypeObject*>(half().accepted))) {
        out.what = answer::kind::accepted;
        out.rest = held_object(Py_NewRef(result));
        return true;
    }
    return to_content(result, out);
}

bool to_piece(PyObject* piece, std::string& out) {
    std::string_view text;
    if (PyBytes_Check(piece)) {
        out = bytes_of(piece);
        return true;
    }
    if (PyUnicode_Check(piece)) {
        if (!utf8_of(piece, text)) return false;
        out = text;
        return true;
    }
    if (PyObject_CheckBuffer(piece) != 0) return copy_buffer(piece, out);
    PyErr_Format(PyExc_TypeError, "a streamed answer yields bytes or str, not %.100s", Py_TYPE(piece)->tp_name);
    return false;
}

net::http::response answer_raised(const std::string& route) {
    PyObject* const error = take_error();
    PyObject* const name = PyUnicode_FromStringAndSize(route.data(), static_cast<Py_ssize_t>(route.size()));
    PyObject* const told = error == nullptr || name == nullptr
                               ? nullptr
                               : PyObject_CallFunctionObjArgs(half().answer_error, name, error, nullptr);
    int status = 500;
    const char* text = "the request could not be handled\n";
    auto r = net::http::response::text(500, text);
    if (told != nullptr && PyArg_ParseTuple(told, "is", &status, &text) != 0 && status >= 200 && status <= 599)
        r = net::http::response::text(static_cast<unsigned>(status), text);
    if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(half().answer_error);
    Py_XDECREF(told);
    Py_XDECREF(name);
    Py_XDECREF(error);
    return r;
}

}  // namespace headrace::bindings
