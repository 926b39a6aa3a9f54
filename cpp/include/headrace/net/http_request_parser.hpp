// Requests out of a stream of bytes: HTTP/1.1 as RFC 9112 writes it, and nothing looser.
//
// Refused, where many servers guess: bare LF, bare CR, obs-fold, white space before a colon, more than one Host or
// Content-Length, Content-Length together with Transfer-Encoding, Transfer-Encoding in HTTP/1.0, any coding but chunked,
// signs and spaces in numbers, chunk lines that do not follow the grammar, framing fields in trailers. Each of them has
// been used to make two servers see different requests in one stream.
//
// Threads:  pure; one owner.
// Lifetime: the head's views point into the bytes given to next() and into the parser's `fields` table.
// Errors:   event::failed, then error() says why, which status to answer, and which section of which RFC it breaks. The
//           stream cannot be read any further; requests before it were complete and are to be answered.
#pragma once

#include <headrace/net/http_message.hpp>
#include <string_view>
#include <vector>

namespace headrace::net::http {

/// Bounds of one request. What exceeds one is refused as soon as that is known, never stored.
struct parse_limits {
    std::size_t max_request_line = 8192;         ///< bytes without CRLF; RFC 9112 section 3 wants 8000 at least. 414
    std::size_t max_headers = 100;               ///< field lines. 431
    std::size_t max_header_bytes = 32 * 1024;    ///< of all field lines together, with their CRLFs. 431
    std::uint64_t max_body = 16 * 1024 * 1024;   ///< bytes of content. 413
    std::size_t max_chunk_line = 1024;           ///< size and extensions of one chunk. 400
    std::size_t max_chunk_overhead = 16 * 1024;  ///< framing in excess of 16 bytes a chunk and twice its content. 400
    std::size_t max_trailers = 16;               ///< trailer field lines. 431
    std::size_t max_trailer_bytes = 8192;        ///< of all of them. 431
};

enum class parse_error : std::uint8_t {
    none,
    bad_method,
    long_method,
    bad_target,
    long_request_line,
    bad_version,
    unknown_version,
    bad_line_ending,
    bad_field_name,
    space_before_colon,
    folded_line,
    bad_field_value,
    too_many_headers,
    headers_too_large,
    no_host,
    many_hosts,
    bad_host,
    bad_content_length,
    many_content_lengths,
    length_and_encoding,
    encoding_in_http10,
    bad_transfer_encoding,
    unknown_transfer_encoding,
    unknown_expectation,
    body_too_large,
    bad_chunk_size,
    bad_chunk_extension,
    chunk_line_too_long,
    chunk_overhead,
    bad_chunk_end,
    forbidden_trailer,
    trailers_too_large,
};

struct parse_error_info {
    unsigned status;           ///< what to answer
    std::string_view text;     ///< for the client and for logs
    std::string_view section;  ///< "9112 5.1"
};
const parse_error_info& describe(parse_error e) noexcept;

class request_parser {
public:
    enum class event : std::uint8_t {
        need_more,  ///< Give the bytes that were not consumed again, with more behind them.
        head,       ///< head() is complete.
        body,       ///< `piece` is the next part of the content.
        complete,   ///< The request ends here; the next one may follow.
        failed,     ///< See error().
    };
    struct step {
        event what;
        std::size_t consumed;
        std::string_view piece;
    };

    explicit request_parser(const parse_limits& limits) noexcept : limits_(&limits) {}

    /// Looks at the bytes from the first that was not consumed on, and says what they begin with. `fields` is where the
    /// head's fields go; between the head and the next call it must stay, so parsers of one thread can share one.
    step next(std::string_view in, std::vector<field>& fields, request_head& head);
    parse_error error() const noexcept { return error_; }
    /// True between two requests, when none of the next one has been seen.
    bool between_requests() const noexcept { return state_ == state::head && scanned_ == 0; }
    /// True until the head is complete.
    bool in_head() const noexcept { return state_ == state::head; }

private:
    enum class state : std::uint8_t {
        head,
        fixed,
        chunk_line,
        chunk_data,
        chunk_end,
        trailers,
        complete,
        failed,
    };
    step fail(parse_error e) noexcept;
    step read_head(std::string_view in, std::vector<field>& fields, request_head& head);
    step read_fixed(std::string_view in) noexcept;
    step read_chunk_line(std::string_view in) noexcept;
    step read_chunk_data(std::string_view in) noexcept;
    step read_chunk_end(std::string_view in) noexcept;
    step read_trailer(std::string_view in) noexcept;

    const parse_limits* limits_;
    std::size_t scanned_ = 0;     // of an incomplete head: bytes looked at
    std::size_t look_again_ = 0;  // of an incomplete head: from this size on a limit is exceeded
    std::uint64_t left_ = 0;      // of the content or the chunk
    std::uint64_t body_ = 0;      // content so far
    std::uint64_t overhead_ = 0;  // chunk framing so far
    std::uint32_t trailers_ = 0;
    std::uint32_t trailer_bytes_ = 0;
    state state_ = state::head;
    parse_error error_ = parse_error::none;
};

}  // namespace headrace::net::http
