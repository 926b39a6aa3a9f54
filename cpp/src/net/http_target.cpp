#include "http_chars.hpp"
#include "http_head.hpp"

namespace headrace::net::http {
namespace {

bool only_digits(std::string_view text) noexcept {
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
    }
    return true;
}

// IPv6address or IPvFuture between brackets: which address it is does not matter here, only that nothing else fits in.
bool is_ip_literal(std::string_view text) noexcept {
    if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
    for (const char c : text.substr(1, text.size() - 2)) {
        if (!chars::is(c, chars::host) && c != ':') return false;
        if (c == '%') return false;  // no zone identifiers
    }
    return true;
}

bool good_escapes(std::string_view text) noexcept {
    for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
        if (at + 2 >= text.size() || !chars::is(text[at + 1], chars::hex) || !chars::is(text[at + 2], chars::hex)) {
            return false;
        }
    }
    return true;
}

parse_error origin_form(std::string_view target, request_head& head) noexcept {
    const auto mark = target.find('?');
    head.path = target.substr(0, mark);
    if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
    const bool good = chars::all(head.path, chars::path) && good_escapes(head.path);
    return good ? parse_error::none : parse_error::bad_target;
}

// http://host[:port][/path][?query]; the host replaces the Host field (RFC 9112, section 3.2.2).
parse_error absolute_form(request_head& head) noexcept {
    const auto colon = head.target.find("://");
    if (colon == std::string_view::npos) return parse_error::bad_target;
    const auto scheme = head.target.substr(0, colon);
    if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) return parse_error::bad_target;
    const auto rest = head.target.substr(colon + 3);
    const auto authority = rest.substr(0, rest.find_first_of("/?"));
    if (authority.empty() || !is_host(authority)) return parse_error::bad_target;
    head.host = authority;
    const auto path = rest.substr(authority.size());
    if (!path.empty() && path.front() == '/') return origin_form(path, head);
    const auto error = origin_form(path, head);
    head.path = "/";
    return error;
}

parse_error authority_form(request_head& head) noexcept {
    const auto colon = head.target.rfind(':');
    const bool has_port = colon != std::string_view::npos && colon != 0 && colon + 1 < head.target.size();
    if (!has_port || !is_host(head.target)) return parse_error::bad_target;
    head.host = head.target;
    return parse_error::none;
}

}  // namespace

// uri-host [ ":" port ] (RFC 9110, section 7.2). User information is not part of it.
bool is_host(std::string_view text) noexcept {
    std::string_view name = text;
    const auto bracket = text.rfind(']');
    const auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
        const auto port = text.substr(colon + 1);
        if (port.size() > 5 || !only_digits(port)) return false;
        name = text.substr(0, colon);
    }
    if (!name.empty() && name.front() == '[') return is_ip_literal(name);
    return chars::all(name, chars::host) && good_escapes(name);
}

parse_error split_target(request_head& head) {
    if (head.known_method == verb::connect) return authority_form(head);
    if (head.target.front() == '/') return origin_form(head.target, head);
    if (head.target == "*") {
        head.path = head.target;
        return head.known_method == verb::options ? parse_error::none : parse_error::bad_target;
    }
    return absolute_form(head);
}

}  // namespace headrace::net::http
