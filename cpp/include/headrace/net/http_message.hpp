// The parts of HTTP messages that parser, writer, router and server share (RFC 9110).
// Threads:  plain values.   Lifetime: views point into the bytes that were parsed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace headrace::net::http {

struct field {
    std::string_view name;
    std::string_view value;  ///< without the white space around it
};

enum class verb : std::uint8_t { get, head, post, put, delete_, connect, options, trace, patch, other };

/// Method names are case-sensitive (RFC 9110, section 9.1); what is not registered here is `other`.
verb to_verb(std::string_view method) noexcept;

/// ASCII only, as HTTP compares names.
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Whether a comma-separated list of tokens has `token`, ignoring case (RFC 9110, section 5.6.1).
bool list_contains(std::string_view list, std::string_view token) noexcept;

bool is_token(std::string_view text) noexcept;
/// Visible characters, bytes above 0x7F, spaces and tabs: no CR, LF, NUL or other control character.
bool is_field_value(std::string_view text) noexcept;

/// "OK" for 200; "Unknown" for what has no registered phrase.
std::string_view reason_phrase(unsigned status) noexcept;

/// The head of a request: everything before its content.
struct request_head {
    std::string_view method;
    verb known_method = verb::other;
    std::string_view target;  ///< as sent
    std::string_view path;    ///< as sent, percent-encoded; "*" for OPTIONS *, empty for CONNECT
    std::string_view query;   ///< after the '?', percent-encoded
    std::string_view host;    ///< host[:port] of the target when it names one, else of Host (RFC 9112, section 3.3)
    unsigned minor_version = 1;
    std::span<const field> fields;
    std::uint64_t content_length = 0;
    bool chunked = false;
    bool keep_alive = true;         ///< what the client asks for
    bool expects_continue = false;  ///< waits for 100 before it sends its content
    bool wants_upgrade = false;     ///< Connection: upgrade with an Upgrade field
    bool has_content() const noexcept { return chunked || content_length != 0; }

    /// The value of the first field of this name; empty when there is none.
    std::string_view get(std::string_view name) const noexcept;
    bool has(std::string_view name) const noexcept;
};

/// The head of a response, and what it says about its content (RFC 9112, section 6.3).
struct response_head {
    enum class content : std::uint8_t { none, length, chunked, until_close };

    unsigned status = 0;  ///< 100 to 599
    unsigned minor_version = 1;
    std::string_view reason;
    std::span<const field> fields;
    content kind = content::none;
    std::uint64_t content_length = 0;  ///< as given, also where no content follows (HEAD, 304)
    bool keep_alive = true;            ///< another request may follow on this connection

    /// Another response follows. 101 is final: what comes next is not HTTP.
    bool interim() const noexcept { return status < 200 && status != 101; }
    /// The value of the first field of this name; empty when there is none.
    std::string_view get(std::string_view name) const noexcept;
};

}  // namespace headrace::net::http
