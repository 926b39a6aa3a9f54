#include <array>
#include <charconv>
#include <ctime>
#include <headrace/net/http_response_writer.hpp>

namespace headrace::net::http {
namespace {

void append_number(std::string& out, std::uint64_t n, int base = 10) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n, base).ptr;
    out.append(digits.data(), end);
}

void append_status_line(std::string& out, unsigned status) {
    if (status == 200) {  // most of them
        out.append("HTTP/1.1 200 OK\r\n");
        return;
    }
    out.append("HTTP/1.1 ");
    append_number(out, status);
    out.push_back(' ');
    out.append(reason_phrase(status)).append("\r\n");
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

void append_common(std::string& out, const response_framing& how, bool keep_alive) {
    if (!how.server.empty()) append_field(out, "Server", how.server);
    if (!how.date.empty()) append_field(out, "Date", how.date);
    if (!keep_alive) {
        out.append("Connection: close\r\n");
    } else if (how.minor_version == 0) {
        out.append("Connection: keep-alive\r\n");
    }
}

void append_own_fields(std::string& out, const response& r) {
    if (!r.content_type.empty()) append_field(out, "Content-Type", r.content_type);
    for (const auto& [name, value] : r.fields) append_field(out, name, value);
}

void append_length(std::string& out, std::uint64_t size) {
    out.append("Content-Length: ");
    append_number(out, size);
    out.append("\r\n");
}

}  // namespace

bool may_have_content(unsigned status) noexcept {
    return status >= 200 && status != 204 && status != 304;
}

std::string_view check_fields(const response& r) noexcept {
    constexpr std::array<std::string_view, 6> ours{"content-length", "transfer-encoding", "connection",
                                                   "date",           "keep-alive",        "upgrade"};
    if (!is_field_value(r.content_type)) return "Content-Type";
    for (const auto& [name, value] : r.fields) {
        if (!is_token(name) || !is_field_value(value)) return name.empty() ? std::string_view{"(empty)"} : name;
        for (const auto reserved : ours) {
            if (equal_ignoring_case(name, reserved)) return name;
        }
    }
    return {};
}

void append_head(std::string& out, const response& r, std::uint64_t size, const response_framing& how) {
    append_status_line(out, r.status);
    append_common(out, how, how.keep_alive);
    append_own_fields(out, r);
    if (may_have_content(r.status)) append_length(out, size);
    out.append("\r\n");
}

void append_response(std::string& out, const response& r, std::string_view body, const response_framing& how) {
    const bool left_out = how.head_request && r.content_length >= 0;
    append_head(out, r, left_out ? static_cast<std::uint64_t>(r.content_length) : body.size(), how);
    if (!how.head_request && may_have_content(r.status)) out.append(body);
}

void append_simple_response(std::string& out, unsigned status, std::string_view content_type, std::string_view body,
                            const response_framing& how) {
    append_status_line(out, status);
    append_common(out, how, how.keep_alive);
    if (!content_type.empty()) append_field(out, "Content-Type", content_type);
    const bool content = may_have_content(status);
    if (content) append_length(out, body.size());
    out.append("\r\n");
    if (content && !how.head_request) out.append(body);
}

stream_end append_stream_head(std::string& out, const response& r, const response_framing& how) {
    const auto end = r.content_length >= 0    ? stream_end::length
                     : how.minor_version != 0 ? stream_end::chunks
                                              : stream_end::close;
    append_status_line(out, r.status);
    append_common(out, how, how.keep_alive && end != stream_end::close);
    append_own_fields(out, r);
    if (may_have_content(r.status)) {
        if (end == stream_end::chunks) out.append("Transfer-Encoding: chunked\r\n");
        if (end == stream_end::length) append_length(out, static_cast<std::uint64_t>(r.content_length));
    }
    out.append("\r\n");
    return end;
}

void append_chunk(std::string& out, std::string_view bytes) {
    if (bytes.empty()) return;  // an empty chunk would end the content
    append_chunk_size(out, bytes.size());
    out.append(bytes).append("\r\n");
}

void append_chunk_size(std::string& out, std::size_t size) {
    append_number(out, size, 16);
    out.append("\r\n");
}

void append_last_chunk(std::string& out) {
    out.append("0\r\n\r\n");
}

std::string http_date(std::int64_t epoch_seconds) {
    constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t t = epoch_seconds;
    std::tm parts{};
    ::gmtime_r(&t, &parts);
    std::array<char, 32> rest;
    std::array<char, 16> clock;
    std::strftime(rest.data(), rest.size(), " %Y ", &parts);
    std::strftime(clock.data(), clock.size(), "%H:%M:%S GMT", &parts);
    std::string out = days[parts.tm_wday];
    out += ", ";
    if (parts.tm_mday < 10) out += '0';
    out += std::to_string(parts.tm_mday);
    out.append(" ").append(months[parts.tm_mon]).append(rest.data()).append(clock.data());
    return out;
}

}  // namespace headrace::net::http
