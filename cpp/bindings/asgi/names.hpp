// Strings that every request needs, made once, and the names of header fields as lower-case bytes.
// Threads:  with the GIL.   Lifetime: words() until the process ends.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <string>
#include <string_view>

namespace headrace::bindings::asgi {

struct words_table {
    PyObject *type, *status, *headers, *trailers, *body, *more_body, *method, *path, *raw_path, *query_string, *client,
        *http_version, *state, *asgi, *subprotocols, *subprotocol, *text, *bytes, *code, *reason;
    PyObject *response_start, *response_body, *request, *disconnect;
    PyObject *connect, *accept, *receive, *send, *close, *websocket_disconnect, *denial_start, *denial_body;
    PyObject *version_1_0, *version_1_1, *empty_bytes;
    std::array<PyObject*, 9> methods;  // by net::http::verb
};
const words_table& words();
/// False with an error set when there is no memory.
bool make_words();

inline bool same(PyObject* text, PyObject* word) {
    return text == word || (PyUnicode_Check(text) != 0 && PyUnicode_Compare(text, word) == 0);
}

/// A small direct-mapped cache: clients send few different names, so most cost no allocation.
class header_names {
public:
    header_names() = default;
    ~header_names();
    header_names(const header_names&) = delete;
    header_names& operator=(const header_names&) = delete;
    /// The name in lower case, a new reference; null with an error set.
    PyObject* lower(std::string_view name);

private:
    struct entry {
        std::string as_sent;
        PyObject* bytes = nullptr;
    };
    static constexpr std::size_t longest = 48;
    std::array<entry, 128> entries_;
};

}  // namespace headrace::bindings::asgi
