#include <headrace/net/http_message.hpp>

#include "http_chars.hpp"

namespace headrace::net::http {

verb to_verb(std::string_view m) noexcept {
    switch (m.size()) {
        case 3: return m == "GET" ? verb::get : m == "PUT" ? verb::put : verb::other;
        case 4: return m == "POST" ? verb::post : m == "HEAD" ? verb::head : verb::other;
        case 5: return m == "PATCH" ? verb::patch : m == "TRACE" ? verb::trace : verb::other;
        case 6: return m == "DELETE" ? verb::delete_ : verb::other;
        case 7: return m == "OPTIONS" ? verb::options : m == "CONNECT" ? verb::connect : verb::other;
        default: return verb::other;
    }
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (chars::lower(a[i]) != chars::lower(b[i])) return false;
    }
    return true;
}

bool list_contains(std::string_view list, std::string_view token) noexcept {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (equal_ignoring_case(chars::trim(list.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
    return false;
}

bool is_token(std::string_view text) noexcept {
    return !text.empty() && chars::all(text, chars::token);
}

bool is_field_value(std::string_view text) noexcept {
    return chars::all(text, chars::value);
}

static std::string_view value_of(std::span<const field> fields, std::string_view name) noexcept {
    for (const auto& f : fields) {
        if (equal_ignoring_case(f.name, name)) return f.value;
    }
    return {};
}

std::string_view request_head::get(std::string_view name) const noexcept {
    return value_of(fields, name);
}
std::string_view response_head::get(std::string_view name) const noexcept {
    return value_of(fields, name);
}

bool request_head::has(std::string_view name) const noexcept {
    for (const auto& f : fields) {
        if (equal_ignoring_case(f.name, name)) return true;
    }
    return false;
}

std::string_view reason_phrase(unsigned status) noexcept {
    switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 203: return "Non-Authoritative Information";
        case 204: return "No Content";
        case 205: return "Reset Content";
        case 206: return "Partial Content";
        case 300: return "Multiple Choices";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 426: return "Upgrade Required";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        default: return "Unknown";
    }
}

}  // namespace headrace::net::http
