// Which bytes may stand where (RFC 9110 section 5.6, RFC 3986 section 2), one table look-up per byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace headrace::net::http::chars {

enum kind : std::uint8_t {
    token = 1,    ///< tchar
    value = 2,    ///< field-vchar, SP, HTAB
    path = 4,     ///< see make_table()
    query = 8,    ///< see make_table()
    hex = 16,     ///< HEXDIG
    host = 32,    ///< unreserved, sub-delims, '%': reg-name
    quoted = 64,  ///< qdtext
};

constexpr bool is_alnum(unsigned c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool in(std::string_view set, unsigned c) {
    return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
}

constexpr std::array<std::uint8_t, 256> make_table() {
    std::array<std::uint8_t, 256> t{};
    for (unsigned c = 0; c < 256; ++c) {
        unsigned k = 0;
        const bool visible = c > 0x20 && c < 0x7f;
        if (is_alnum(c) || in("!#$%&'*+-.^_`|~", c)) k |= token;
        if (visible || c == ' ' || c == '\t' || c >= 0x80) k |= value;
        if (is_alnum(c) || in("-._~!$&'()*+,;=%", c)) k |= host;
        // RFC 3986 and, beyond it, only what browsers send unescaped (URL Standard, percent-encode sets).
        if (is_alnum(c) || in("-._~!$&'()*+,;=%:@/[]|", c)) k |= path;
        if (is_alnum(c) || in("-._~!$&'()*+,;=%:@/?[]|^`{}\\", c)) k |= query;
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) k |= hex;
        if ((visible && c != '"' && c != '\\') || c == ' ' || c == '\t' || c >= 0x80) k |= quoted;
        t[c] = static_cast<std::uint8_t>(k);
    }
    return t;
}
inline constexpr auto table = make_table();

inline bool is(char c, kind k) noexcept {
    return (table[static_cast<unsigned char>(c)] & k) != 0;
}
inline char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
inline int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
inline bool all(std::string_view text, kind k) noexcept {
    for (const char c : text) {
        if (!is(c, k)) return false;
    }
    return true;
}
inline std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

}  // namespace headrace::net::http::chars
