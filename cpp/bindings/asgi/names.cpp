#include "names.hpp"

#include <headrace/net/http_message.hpp>

namespace headrace::bindings::asgi {
namespace {

words_table table{};

PyObject* lower_bytes(std::string_view name) {
    PyObject* bytes = PyBytes_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
    if (bytes == nullptr) return nullptr;
    char* const text = PyBytes_AS_STRING(bytes);
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (text[i] >= 'A' && text[i] <= 'Z') text[i] = static_cast<char>(text[i] | 0x20);
    }
    return bytes;
}

}  // namespace

const words_table& words() {
    return table;
}

bool make_words() {
    if (table.type != nullptr) return true;
    bool good = true;
    const auto word = [&](const char* text) {
        PyObject* made = PyUnicode_InternFromString(text);
        good = good && made != nullptr;
        return made;
    };
    table.status = word("status");
    table.headers = word("headers");
    table.trailers = word("trailers");
    table.body = word("body");
    table.more_body = word("more_body");
    table.method = word("method");
    table.path = word("path");
    table.raw_path = word("raw_path");
    table.query_string = word("query_string");
    table.client = word("client");
    table.http_version = word("http_version");
    table.state = word("state");
    table.asgi = word("asgi");
    table.subprotocols = word("subprotocols");
    table.subprotocol = word("subprotocol");
    table.text = word("text");
    table.bytes = word("bytes");
    table.code = word("code");
    table.reason = word("reason");
    table.response_start = word("http.response.start");
    table.response_body = word("http.response.body");
    table.request = word("http.request");
    table.disconnect = word("http.disconnect");
    table.connect = word("websocket.connect");
    table.accept = word("websocket.accept");
    table.receive = word("websocket.receive");
    table.send = word("websocket.send");
    table.close = word("websocket.close");
    table.websocket_disconnect = word("websocket.disconnect");
    table.denial_start = word("websocket.http.response.start");
    table.denial_body = word("websocket.http.response.body");
    table.version_1_0 = word("1.0");
    table.version_1_1 = word("1.1");
    table.empty_bytes = PyBytes_FromStringAndSize("", 0);
    const char* const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    for (std::size_t i = 0; i < table.methods.size(); ++i) table.methods[i] = word(methods[i]);
    table.type = word("type");
    return good && table.empty_bytes != nullptr;
}

header_names::~header_names() {
    for (auto& e : entries_) Py_XDECREF(e.bytes);
}

PyObject* header_names::lower(std::string_view name) {
    if (name.empty() || name.size() > longest) return lower_bytes(name);
    const auto at = (name.size() * 31 + static_cast<unsigned char>(name.front()) * 7 +
                     static_cast<unsigned char>(name.back()) + static_cast<unsigned char>(name[name.size() / 2]) * 3) %
                    entries_.size();
    auto& e = entries_[at];
    if (e.bytes == nullptr || e.as_sent != name) {
        PyObject* made = lower_bytes(name);
        if (made == nullptr) return nullptr;
        Py_XSETREF(e.bytes, made);
        e.as_sent.assign(name);
    }
    return Py_NewRef(e.bytes);
}

}  // namespace headrace::bindings::asgi
