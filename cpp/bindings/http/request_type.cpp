#include "request_type.hpp"

#include <array>
#include <headrace/http/request_wire.hpp>
#include <headrace/net/http_owned_request.hpp>
#include <new>

#include "held_object.hpp"
#include "python_half.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

enum cached : std::uint8_t { cached_body, cached_headers, cached_params, cached_query, cached_count };

struct request_object {
    PyObject_HEAD request_source source;
    std::array<PyObject*, cached_count> made;
};

PyTypeObject* type = nullptr;

request_object* as_request(PyObject* self) {
    return reinterpret_cast<request_object*>(self);
}

// Bytes of a head are ASCII mostly; what is not was meant as UTF-8, or as nothing.
PyObject* to_str(std::string_view text) {
    return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
}

PyObject* to_bytes(std::string_view text) {
    return PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}

// Made once, and then the same object; a new reference.
template <class Make>
PyObject* once(PyObject* self, cached which, Make make) {
    auto*& slot = as_request(self)->made[which];
    if (slot == nullptr) slot = make(as_request(self)->source);
    return Py_XNewRef(slot);
}

std::string_view peer_of(const request_source& s) {
    return s.asker != nullptr ? std::string_view(s.asker->peer().host) : s.peer;
}

int hex(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

PyObject* get_method(PyObject* self, void*) {
    return to_str(as_request(self)->source.head->method);
}

PyObject* get_path(PyObject* self, void*) {
    const auto path = as_request(self)->source.head->path;
    if (path.find('%') == std::string_view::npos) return to_str(path);
    std::string decoded;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const bool escape = path[i] == '%' && i + 2 < path.size() && hex(path[i + 1]) >= 0 && hex(path[i + 2]) >= 0;
        decoded.push_back(escape ? static_cast<char>(hex(path[i + 1]) * 16 + hex(path[i + 2])) : path[i]);
        if (escape) i += 2;
    }
    return to_str(decoded);
}

PyObject* get_target(PyObject* self, void*) {
    return to_str(as_request(self)->source.head->target);
}

PyObject* get_query(PyObject* self, void*) {
    return to_str(as_request(self)->source.head->query);
}

PyObject* get_query_params(PyObject* self, void*) {
    return once(self, cached_query, [](const request_source& s) -> PyObject* {
        PyObject* const text = to_str(s.head->query);
        PyObject* const made = text == nullptr ? nullptr : PyObject_CallOneArg(half().query_params, text);
        Py_XDECREF(text);
        return made;
    });
}

PyObject* get_params(PyObject* self, void*) {
    return once(self, cached_params, [](const request_source& s) -> PyObject* {
        PyObject* dict = PyDict_New();
        for (const auto& p : s.params) {
            PyObject* const name = to_str(p.name);
            PyObject* const value = to_str(p.value);
            const bool good = name != nullptr && value != nullptr && PyDict_SetItem(dict, name, value) == 0;
            Py_XDECREF(name);
            Py_XDECREF(value);
            if (!good) Py_CLEAR(dict);
            if (dict == nullptr) break;
        }
        return dict;
    });
}

PyObject* get_headers(PyObject* self, void*) {
    return once(self, cached_headers, [](const request_source& s) -> PyObject* {
        PyObject* const pairs = PyList_New(static_cast<Py_ssize_t>(s.head->fields.size()));
        if (pairs == nullptr) return nullptr;
        Py_ssize_t i = 0;
        for (const auto& f : s.head->fields) {
            PyObject* const pair = Py_BuildValue("(NN)", to_str(f.name), to_str(f.value));
            if (pair == nullptr) {
                Py_DECREF(pairs);
                return nullptr;
            }
            PyList_SET_ITEM(pairs, i++, pair);
        }
        PyObject* const made = PyObject_CallOneArg(half().headers, pairs);
        Py_DECREF(pairs);
        return made;
    });
}

PyObject* get_body(PyObject* self, void*) {
    return once(self, cached_body, [](const request_source& s) { return to_bytes(s.body); });
}

PyObject* get_text(PyObject* self, void*) {
    const auto body = as_request(self)->source.body;
    return PyUnicode_DecodeUTF8(body.data(), static_cast<Py_ssize_t>(body.size()), "replace");
}

PyObject* get_client(PyObject* self, void*) {
    const auto& s = as_request(self)->source;
    return to_str(peer_of(s));
}

PyObject* get_http_version(PyObject* self, void*) {
    return PyUnicode_FromString(as_request(self)->source.head->minor_version == 0 ? "1.0" : "1.1");
}

PyObject* get_cancelled(PyObject* self, void*) {
    const auto* flag = as_request(self)->source.cancelled;
    return PyBool_FromLong(flag != nullptr && flag->load(std::memory_order_acquire));
}

// The content as JSON; what is not is the client's error.
PyObject* json(PyObject* self, PyObject*) {
    const auto body = as_request(self)->source.body;
    PyObject* const text = PyUnicode_DecodeUTF8(body.data(), static_cast<Py_ssize_t>(body.size()), nullptr);
    PyObject* const value = text == nullptr ? nullptr : PyObject_CallOneArg(half().json_loads, text);
    Py_XDECREF(text);
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_ValueError) != 0) {
        PyErr_Clear();
        PyObject* const error = PyObject_CallFunction(half().http_error, "is", 400, "the content is not JSON");
        if (error != nullptr) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
        Py_XDECREF(error);
    }
    return value;
}

PyObject* reduce(PyObject* self, PyObject*) {
    const auto& s = as_request(self)->source;
    const auto head = http::pack(*s.head, s.params, std::string(peer_of(s)));
    return Py_BuildValue("(O(NN))", half().unpack_request, to_bytes(head), to_bytes(s.body));
}

PyObject* repr(PyObject* self) {
    const auto& head = *as_request(self)->source.head;
    PyObject* const method = to_str(head.method);
    PyObject* const target = to_str(head.target);
    PyObject* const text = method == nullptr || target == nullptr
                               ? nullptr
                               : PyUnicode_FromFormat("<headrace.http.Request %U %U>", method, target);
    Py_XDECREF(method);
    Py_XDECREF(target);
    return text;
}

void dealloc(PyObject* self) {
    for (auto* o : as_request(self)->made) Py_XDECREF(o);
    as_request(self)->source.~request_source();
    PyTypeObject* const own = Py_TYPE(self);
    own->tp_free(self);
    Py_DECREF(own);
}

PyMethodDef methods[] = {
    {"json", json, METH_NOARGS,
     "json($self, /)\n--\n\nThe content read as JSON. What is not JSON raises HTTPError(400)."},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"method", get_method, nullptr, "\"GET\", as sent.", nullptr},
    {"target", get_target, nullptr, "The request target as sent, with the query, percent-encoded.", nullptr},
    {"path", get_path, nullptr, "The path, percent-decoded.", nullptr},
    {"query", get_query, nullptr, "What follows the '?', percent-encoded; empty when there is none.", nullptr},
    {"query_params", get_query_params, nullptr, "The query as a dict of lists, decoded.", nullptr},
    {"params", get_params, nullptr, "The parameters of the route's pattern, decoded: a dict of str.", nullptr},
    {"headers", get_headers, nullptr, "The header fields; names in any case, see Headers.", nullptr},
    {"body", get_body, nullptr, "The content: bytes.", nullptr},
    {"text", get_text, nullptr, "The content as UTF-8; what is not becomes U+FFFD.", nullptr},
    {"client", get_client, nullptr, "The client's address.", nullptr},
    {"http_version", get_http_version, nullptr, "\"1.0\" or \"1.1\".", nullptr},
    {"cancelled", get_cancelled, nullptr,
     "Whether the client has left, or the deadline has passed. Never in worker processes.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_repr, reinterpret_cast<void*>(repr)},
    {Py_tp_doc, const_cast<char*>("A request as its handler sees it. Fields are made when they are asked for.")},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.http.Request", sizeof(request_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

struct kept_copy {
    explicit kept_copy(const net::http::request& q, std::string p) : request(q), peer(std::move(p)) {}
    net::http::owned_request request;
    std::string peer;
};

}  // namespace

PyObject* make_request(request_source source) {
    auto* const made = reinterpret_cast<request_object*>(type->tp_alloc(type, 0));
    if (made == nullptr) return nullptr;
    new (&made->source) request_source(std::move(source));
    made->made = {};
    return reinterpret_cast<PyObject*>(made);
}

void detach_request(PyObject* request) {
    if (Py_REFCNT(request) > 1) {
        auto& s = as_request(request)->source;
        const auto copy =
            std::make_shared<kept_copy>(net::http::request{*s.head, s.body, s.params}, std::string(peer_of(s)));
        s = {&copy->request.head(), copy->request.body(), copy->request.params(), copy->peer, nullptr, nullptr, copy};
    }
    Py_DECREF(request);
}

void register_request_type(py::module_& m) {
    type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (type == nullptr) throw py::error_already_set();
    m.attr("Request") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(type));
    m.def(
        "unpack_request",
        [](const py::bytes& head, const py::bytes& body) {
            struct parts {
                std::unique_ptr<http::unpacked_request> whole;
                net::http::request view;
                held_object body;
            };
            import_python_half();  // a worker process may not have it yet
            auto whole = http::unpacked_request::unpack(head, std::string_view(body));
            if (!whole) throw py::value_error("these bytes are no request");
            const auto view = whole->view();
            const auto kept =
                std::make_shared<parts>(parts{std::move(whole), view, held_object(Py_NewRef(body.ptr()))});
            PyObject* const made = make_request(
                {&kept->view.head, kept->view.body, kept->view.params, kept->whole->peer(), nullptr, nullptr, kept});
            if (made == nullptr) throw py::error_already_set();
            as_request(made)->made[cached_body] = Py_NewRef(body.ptr());
            return py::reinterpret_steal<py::object>(made);
        },
        py::arg("head"), py::arg("body"), "A pickled request again.");
}

}  // namespace headrace::bindings
