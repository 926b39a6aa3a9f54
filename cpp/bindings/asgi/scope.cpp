#include "scope.hpp"

#include <algorithm>

namespace headrace::bindings::asgi {
namespace {

using net::http::owned_request;
using net::http::peer_address;

PyObject* bytes(std::string_view v) {
    return PyBytes_FromStringAndSize(v.data(), static_cast<Py_ssize_t>(v.size()));
}

// Puts a new reference, which may be null with an error set.
bool put(PyObject* dict, PyObject* key, PyObject* value) {
    if (value == nullptr) return false;
    const int bad = PyDict_SetItem(dict, key, value);
    Py_DECREF(value);
    return bad == 0;
}

int digit(char c) noexcept {
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

// Percent-decoded, then decoded as UTF-8; what is not UTF-8 becomes U+FFFD. The escapes were checked by the parser.
PyObject* decoded_path(const std::string& root, std::string_view raw) {
    if (root.empty() && raw.find('%') == std::string_view::npos) {
        return PyUnicode_DecodeUTF8(raw.data(), static_cast<Py_ssize_t>(raw.size()), "replace");
    }
    std::string text = root;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '%' && i + 2 < raw.size()) {
            text.push_back(static_cast<char>(digit(raw[i + 1]) * 16 + digit(raw[i + 2])));
            i += 2;
        } else {
            text.push_back(raw[i]);
        }
    }
    return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

PyObject* method(const net::http::request_head& head) {
    const auto known = static_cast<std::size_t>(head.known_method);
    if (known < words().methods.size()) return Py_NewRef(words().methods[known]);
    std::string upper(head.method);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return PyUnicode_DecodeASCII(upper.data(), static_cast<Py_ssize_t>(upper.size()), nullptr);
}

PyObject* headers(site& s, const net::http::request_head& head) {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(head.fields.size()));
    if (list == nullptr) return nullptr;
    Py_ssize_t at = 0;
    for (const auto& f : head.fields) {
        PyObject* name = s.headers.lower(f.name);
        PyObject* value = name == nullptr ? nullptr : bytes(f.value);
        PyObject* pair = value == nullptr ? nullptr : PyTuple_New(2);
        if (pair == nullptr) {
            Py_XDECREF(name);
            Py_XDECREF(value);
            Py_DECREF(list);
            return nullptr;
        }
        PyTuple_SET_ITEM(pair, 0, name);
        PyTuple_SET_ITEM(pair, 1, value);
        PyList_SET_ITEM(list, at++, pair);
    }
    return list;
}

PyObject* client(const peer_address& peer) {
    if (peer.host.empty()) return Py_NewRef(Py_None);
    PyObject* host = PyUnicode_DecodeUTF8(peer.host.data(), static_cast<Py_ssize_t>(peer.host.size()), nullptr);
    PyObject* port = host == nullptr ? nullptr : PyLong_FromLong(peer.port);
    PyObject* both = port == nullptr ? nullptr : PyTuple_Pack(2, host, port);
    Py_XDECREF(host);
    Py_XDECREF(port);
    return both;
}

PyObject* common(site& s, PyObject* pattern, const owned_request& q, const peer_address& peer) {
    const auto& w = words();
    const auto& head = q.head();
    PyObject* scope = PyDict_Copy(pattern);
    if (scope == nullptr) return nullptr;
    PyObject* asgi = PyDict_GetItemWithError(scope, w.asgi);
    bool good = asgi != nullptr && put(scope, w.asgi, PyDict_Copy(asgi)) &&
                put(scope, w.http_version, Py_NewRef(head.minor_version == 0 ? w.version_1_0 : w.version_1_1)) &&
                put(scope, w.path, decoded_path(s.own.root_path, head.path)) &&
                put(scope, w.raw_path, bytes(head.path)) && put(scope, w.query_string, bytes(head.query)) &&
                put(scope, w.headers, headers(s, head)) && put(scope, w.client, client(peer));
    if (good && s.own.state != Py_None) good = put(scope, w.state, PyDict_Copy(s.own.state));
    if (good) return scope;
    Py_DECREF(scope);
    return nullptr;
}

PyObject* subprotocols(const net::http::request_head& head) {
    PyObject* list = PyList_New(0);
    for (const auto& f : head.fields) {
        if (!net::http::equal_ignoring_case(f.name, "sec-websocket-protocol")) continue;
        std::string_view left = f.value;
        while (list != nullptr && !left.empty()) {
            const auto comma = std::min(left.find(','), left.size());
            auto one = left.substr(0, comma);
            left.remove_prefix(std::min(comma + 1, left.size()));
            while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
            while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
            if (one.empty()) continue;
            PyObject* text = PyUnicode_DecodeLatin1(one.data(), static_cast<Py_ssize_t>(one.size()), nullptr);
            const int bad = text == nullptr ? -1 : PyList_Append(list, text);
            Py_XDECREF(text);
            if (bad < 0) Py_CLEAR(list);
        }
    }
    return list;
}

}  // namespace

PyObject* make_http_scope(site& s, const owned_request& q, const peer_address& peer) {
    PyObject* scope = common(s, s.own.http_scope, q, peer);
    if (scope == nullptr || put(scope, words().method, method(q.head()))) return scope;
    Py_DECREF(scope);
    return nullptr;
}

PyObject* make_websocket_scope(site& s, const owned_request& q, const peer_address& peer) {
    PyObject* scope = common(s, s.own.websocket_scope, q, peer);
    if (scope == nullptr || put(scope, words().subprotocols, subprotocols(q.head()))) return scope;
    Py_DECREF(scope);
    return nullptr;
}

}  // namespace headrace::bindings::asgi
