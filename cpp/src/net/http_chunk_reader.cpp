#include <algorithm>
#include <array>
#include <headrace/net/http_chunk_reader.hpp>
#include <headrace/net/http_message.hpp>

#include "http_chars.hpp"

namespace headrace::net::http {
namespace {

using step = parse_step;
using event = parse_event;
constexpr step more{event::need_more, 0, {}};

// A line that ends in CRLF, of at most `most` bytes without it.
struct line {
    enum class what : std::uint8_t { incomplete, complete, too_long, bad_ending } outcome;
    std::string_view text;
};

line take_line(std::string_view in, std::size_t most) noexcept {
    using what = line::what;
    const auto end = in.substr(0, most + 2).find('\n');
    if (end == std::string_view::npos) return {in.size() >= most + 2 ? what::too_long : what::incomplete, {}};
    if (end == 0 || in[end - 1] != '\r') return {what::bad_ending, {}};
    const auto text = in.substr(0, end - 1);
    return {text.find('\r') == std::string_view::npos ? what::complete : what::bad_ending, text};
}

std::string_view skip_blanks(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    return text;
}

std::size_t quoted_size(std::string_view text) noexcept {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') return i + 1;
        if (text[i] == '\\') {
            if (++i == text.size() || !chars::is(text[i], chars::value)) return 0;
        } else if (!chars::is(text[i], chars::quoted)) {
            return 0;
        }
    }
    return 0;
}

std::size_t token_size(std::string_view text) noexcept {
    std::size_t n = 0;
    while (n < text.size() && chars::is(text[n], chars::token)) ++n;
    return n;
}

// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )   (RFC 9112, section 7.1.1)
bool good_extensions(std::string_view text) noexcept {
    while (!text.empty()) {
        text = skip_blanks(text);
        if (text.empty() || text.front() != ';') return false;
        text = skip_blanks(text.substr(1));
        const auto name = token_size(text);
        if (name == 0) return false;
        text.remove_prefix(name);
        const auto after = skip_blanks(text);
        if (after.empty() || after.front() != '=') continue;
        text = skip_blanks(after.substr(1));
        const auto value = !text.empty() && text.front() == '"' ? quoted_size(text) : token_size(text);
        if (value == 0) return false;
        text.remove_prefix(value);
    }
    return true;
}

// Fields that say how to read, route or trust a message decide nothing behind it (RFC 9110, section 6.5.1).
constexpr std::array<std::string_view, 16> not_in_trailers{
    "transfer-encoding",
    "content-length",
    "host",
    "connection",
    "expect",
    "trailer",
    "upgrade",
    "te",
    "authorization",
    "content-encoding",
    "content-type",
    "content-range",
    "cookie",
    "max-forwards",
    "cache-control",
    "range",
};

parse_error check_trailer(std::string_view text) noexcept {
    const auto name = token_size(text);
    if (name == 0) {
        const bool folded = text.front() == ' ' || text.front() == '\t';
        return folded ? parse_error::folded_line : parse_error::bad_field_name;
    }
    if (name == text.size()) return parse_error::bad_field_name;
    if (text[name] == ' ' || text[name] == '\t') return parse_error::space_before_colon;
    if (text[name] != ':') return parse_error::bad_field_name;
    if (!is_field_value(text.substr(name + 1))) return parse_error::bad_field_value;
    for (const auto forbidden : not_in_trailers) {
        if (equal_ignoring_case(text.substr(0, name), forbidden)) return parse_error::forbidden_trailer;
    }
    return parse_error::none;
}

}  // namespace

step chunk_reader::fail(parse_error e) noexcept {
    error_ = e;
    state_ = state::failed;
    return {event::failed, 0, {}};
}

step chunk_reader::next(std::string_view in, const parse_limits& limits) noexcept {
    switch (state_) {
        case state::line: return read_line(in, limits);
        case state::data: return read_data(in);
        case state::end: return read_end(in);
        case state::trailers: return read_trailer(in, limits);
        case state::complete: return {event::complete, 0, {}};
        case state::failed: break;
    }
    return {event::failed, 0, {}};
}

step chunk_reader::read_line(std::string_view in, const parse_limits& limits) noexcept {
    const auto l = take_line(in, limits.max_chunk_line);
    if (l.outcome == line::what::incomplete) return more;
    if (l.outcome == line::what::too_long) return fail(parse_error::chunk_line_too_long);
    if (l.outcome == line::what::bad_ending) return fail(parse_error::bad_line_ending);
    constexpr std::size_t max_digits = 16;
    std::uint64_t size = 0;
    std::size_t digits = 0;
    for (; digits < l.text.size() && chars::is(l.text[digits], chars::hex); ++digits) {
        if (digits == max_digits) return fail(parse_error::bad_chunk_size);
        size = size * 16 + static_cast<std::uint64_t>(chars::hex_value(l.text[digits]));
    }
    if (digits == 0) return fail(parse_error::bad_chunk_size);
    const auto extensions = l.text.substr(digits);
    if (!extensions.empty() && extensions.front() != ';' && extensions.front() != ' ' && extensions.front() != '\t') {
        return fail(parse_error::bad_chunk_size);
    }
    if (!good_extensions(extensions)) return fail(parse_error::bad_chunk_extension);
    if (size > limits.max_body - body_) return fail(parse_error::body_too_large);
    const std::uint64_t framing = l.text.size() + 4;
    const std::uint64_t allowed = 16 + 2 * std::min<std::uint64_t>(size, 1024);
    if (framing > allowed) overhead_ += framing - allowed;
    if (overhead_ > limits.max_chunk_overhead) return fail(parse_error::chunk_overhead);
    body_ += size;
    left_ = size;
    state_ = size == 0 ? state::trailers : state::data;
    return {event::body, l.text.size() + 2, {}};
}

step chunk_reader::read_data(std::string_view in) noexcept {
    if (in.empty()) return more;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
    left_ -= n;
    if (left_ == 0) state_ = state::end;
    return {event::body, n, in.substr(0, n)};
}

step chunk_reader::read_end(std::string_view in) noexcept {
    if (in.empty()) return more;
    if (in[0] != '\r') return fail(parse_error::bad_chunk_end);
    if (in.size() < 2) return more;
    if (in[1] != '\n') return fail(parse_error::bad_chunk_end);
    state_ = state::line;
    return {event::body, 2, {}};
}

// Trailer fields are checked and dropped: a recipient may (RFC 9110, section 6.5.1), and nothing here needs them.
step chunk_reader::read_trailer(std::string_view in, const parse_limits& limits) noexcept {
    const auto l = take_line(in, limits.max_trailer_bytes);
    if (l.outcome == line::what::incomplete) return more;
    if (l.outcome == line::what::too_long) return fail(parse_error::trailers_too_large);
    if (l.outcome == line::what::bad_ending) return fail(parse_error::bad_line_ending);
    if (l.text.empty()) {
        state_ = state::complete;
        return {event::complete, 2, {}};
    }
    trailer_bytes_ += static_cast<std::uint32_t>(l.text.size() + 2);
    if (++trailers_ > limits.max_trailers || trailer_bytes_ > limits.max_trailer_bytes) {
        return fail(parse_error::trailers_too_large);
    }
    if (const auto e = check_trailer(l.text); e != parse_error::none) return fail(e);
    return {event::body, l.text.size() + 2, {}};
}

}  // namespace headrace::net::http
