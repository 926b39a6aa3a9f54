#include "http_chars.hpp"
#include "http_head.hpp"

namespace headrace::net::http {
namespace {

// What the fields that decide about framing say; the rest of the fields are the handler's business.
struct framing {
    std::string_view host, length, encoding, upgrade;
    unsigned hosts = 0, lengths = 0, encodings = 0;
    bool close = false, keep_alive = false, upgrade_named = false;
    bool expects_continue = false, expects_other = false;
};

void read_connection(std::string_view value, framing& f) noexcept {
    f.close = f.close || list_contains(value, "close");
    f.keep_alive = f.keep_alive || list_contains(value, "keep-alive");
    f.upgrade_named = f.upgrade_named || list_contains(value, "upgrade");
}

void collect(const field& one, framing& f) noexcept {
    switch (one.name.size()) {
        case 4:
            if (equal_ignoring_case(one.name, "host")) f.host = one.value, ++f.hosts;
            break;
        case 6:
            if (equal_ignoring_case(one.name, "expect")) {
                const bool known = equal_ignoring_case(one.value, "100-continue");
                (known ? f.expects_continue : f.expects_other) = true;
            }
            break;
        case 7:
            if (equal_ignoring_case(one.name, "upgrade")) f.upgrade = one.value;
            break;
        case 10:
            if (equal_ignoring_case(one.name, "connection")) read_connection(one.value, f);
            break;
        case 14:
            if (equal_ignoring_case(one.name, "content-length")) f.length = one.value, ++f.lengths;
            break;
        case 17:
            if (equal_ignoring_case(one.name, "transfer-encoding")) f.encoding = one.value, ++f.encodings;
            break;
        default: break;
    }
}

parse_error check_host(const framing& f, request_head& head) noexcept {
    if (f.hosts > 1) return parse_error::many_hosts;
    if (f.hosts == 0) return head.minor_version == 0 ? parse_error::none : parse_error::no_host;
    if (!is_host(f.host)) return parse_error::bad_host;
    if (head.host.empty()) head.host = f.host;
    return parse_error::none;
}

parse_error check_content(const framing& f, const parse_limits& limits, request_head& head) noexcept {
    if (f.encodings != 0) {
        if (f.lengths != 0) return parse_error::length_and_encoding;
        if (head.minor_version == 0) return parse_error::encoding_in_http10;
        if (f.encodings > 1) return parse_error::bad_transfer_encoding;
        return read_encoding(f.encoding, head.chunked);
    }
    if (f.lengths > 1) return parse_error::many_content_lengths;
    return f.lengths == 1 ? read_length(f.length, limits.max_body, head.content_length) : parse_error::none;
}

}  // namespace

// `chunked` once, last and alone; anything before it is a coding that we do not have.
parse_error read_encoding(std::string_view list, bool& chunked) noexcept {
    bool foreign = false;
    for (;;) {
        const auto comma = list.find(',');
        const auto item = chars::trim(list.substr(0, comma));
        if (chunked || item.empty()) return parse_error::bad_transfer_encoding;
        chunked = equal_ignoring_case(item, "chunked");
        foreign = foreign || !chunked;
        if (comma == std::string_view::npos) break;
        list.remove_prefix(comma + 1);
    }
    if (!chunked) return parse_error::bad_transfer_encoding;
    return foreign ? parse_error::unknown_transfer_encoding : parse_error::none;
}

parse_error read_length(std::string_view text, std::uint64_t most, std::uint64_t& length) noexcept {
    if (text.empty()) return parse_error::bad_content_length;
    bool too_large = false;
    for (const char c : text) {
        if (c < '0' || c > '9') return parse_error::bad_content_length;
        if (!too_large) length = length * 10 + static_cast<std::uint64_t>(c - '0');
        too_large = too_large || length > most;
    }
    return too_large ? parse_error::body_too_large : parse_error::none;
}

parse_error interpret_head(const parse_limits& limits, request_head& head) {
    framing f;
    for (const auto& one : head.fields) collect(one, f);
    if (const auto e = split_target(head); e != parse_error::none) return e;
    if (const auto e = check_host(f, head); e != parse_error::none) return e;
    if (const auto e = check_content(f, limits, head); e != parse_error::none) return e;
    if (f.expects_other) return parse_error::unknown_expectation;
    head.keep_alive = !f.close && (head.minor_version != 0 || f.keep_alive);
    head.expects_continue = f.expects_continue && head.minor_version != 0 && head.has_content();
    head.wants_upgrade = f.upgrade_named && !f.upgrade.empty() && head.minor_version != 0;
    return parse_error::none;
}

}  // namespace headrace::net::http
