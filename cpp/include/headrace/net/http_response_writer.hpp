// Responses into bytes (RFC 9112, sections 4 and 6): the status line, the fields that framing needs, and chunks.
//
// The writer decides how the content is framed and whether the connection stays open, so that a handler cannot break the
// stream: it gives status, fields and content; Content-Length, Transfer-Encoding, Connection and Date are ours.
// Threads:  pure; appends to the caller's string.
// Errors:   a field that could split the response (CR, LF, NUL, a name that is not a token) or that is ours is refused:
//           check_fields() says which, and the server answers 500 instead.
#pragma once

#include <cstdint>
#include <headrace/net/http_message.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::net::http {

/// What a handler answers.
struct response {
    unsigned status = 200;
    std::string content_type;  ///< empty: no Content-Type
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
    /// Of content that is streamed, or left out as HEAD asks: its size, when it is known. -1: not known.
    std::int64_t content_length = -1;

    static response text(unsigned status, std::string body) {
        return {status, "text/plain; charset=utf-8", std::move(body), {}, -1};
    }
};

/// How one response leaves.
struct response_framing {
    bool keep_alive = true;
    bool head_request = false;   ///< HEAD: the fields of GET, no content (RFC 9110, section 9.3.2)
    unsigned minor_version = 1;  ///< of the request: HTTP/1.0 has no chunks and must be told to keep the connection
    std::string_view date;       ///< IMF-fixdate; empty: no Date
    std::string_view server;     ///< empty: no Server
};

/// The name of the first field that may not be sent; empty when all are good.
std::string_view check_fields(const response& r) noexcept;

/// False for 1xx, 204 and 304: no content and no framing fields (RFC 9110, section 6.4.1; 9112, section 6.3).
bool may_have_content(unsigned status) noexcept;

/// A whole response. `body` may be a view of what is not in `r`.
void append_response(std::string& out, const response& r, std::string_view body, const response_framing& how);
/// The same without a response object: status, one content type, content.
void append_simple_response(std::string& out, unsigned status, std::string_view content_type, std::string_view body,
                            const response_framing& how);
/// The head alone, for a body of `size` bytes that is sent after it.
void append_head(std::string& out, const response& r, std::uint64_t size, const response_framing& how);

/// How a response of unknown length ends.
enum class stream_end : std::uint8_t { chunks, close, length };
/// The head of a streamed response: with its length when that is known; otherwise chunked for HTTP/1.1, and closed at its
/// end for HTTP/1.0 (then keep_alive is ignored).
stream_end append_stream_head(std::string& out, const response& r, const response_framing& how);
void append_chunk(std::string& out, std::string_view bytes);
/// The line before a chunk's bytes; CRLF must follow them.
void append_chunk_size(std::string& out, std::size_t size);
void append_last_chunk(std::string& out);

/// "Sun, 06 Nov 1994 08:49:37 GMT" for seconds since the epoch (RFC 9110, section 5.6.7).
std::string http_date(std::int64_t epoch_seconds);

}  // namespace headrace::net::http
