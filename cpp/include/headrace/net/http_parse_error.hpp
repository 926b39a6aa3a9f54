// What the parsers of requests and responses share: how large a message may be, what may be wrong with it, and how they
// tell what they have read.
// Threads:  plain values and pure functions.   Errors: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headrace::net::http {

/// Bounds of one message. What exceeds one is refused as soon as that is known, never stored.
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
    bad_status_line,
    bad_status,
    cut_short,
};

struct parse_error_info {
    unsigned status;           ///< what to answer
    std::string_view text;     ///< for the client and for logs
    std::string_view section;  ///< "9112 5.1"
};
const parse_error_info& describe(parse_error e) noexcept;

enum class parse_event : std::uint8_t {
    need_more,  ///< Give the bytes that were not consumed again, with more behind them.
    head,       ///< The head is complete.
    body,       ///< `piece` is the next part of the content; it may be empty.
    complete,   ///< The message ends here; the next one may follow.
    failed,     ///< See error(). Nothing more can be read from this stream.
};
struct parse_step {
    parse_event what;
    std::size_t consumed;
    std::string_view piece;
};

}  // namespace headrace::net::http
