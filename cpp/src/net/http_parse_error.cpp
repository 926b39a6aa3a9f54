#include <array>
#include <headrace/net/http_parse_error.hpp>

namespace headrace::net::http {
namespace {

// In the order of parse_error.
constexpr std::array<parse_error_info, 35> table{{
    {200, "no error", ""},
    {400, "the method is not a token", "9110 9.1"},
    {501, "the method is longer than any known one", "9112 3"},
    {400, "the request target is malformed", "9112 3.2"},
    {414, "the request line is too long", "9112 3"},
    {400, "the request line does not end in a HTTP version", "9112 2.3"},
    {505, "only HTTP/1.0 and HTTP/1.1 are served", "9110 15.6.6"},
    {400, "a line does not end in CRLF", "9112 2.2"},
    {400, "a field name is not a token", "9110 5.1"},
    {400, "white space before the colon of a field", "9112 5.1"},
    {400, "a line starts with white space (obsolete line folding)", "9112 5.2"},
    {400, "a field value has a control character", "9110 5.5"},
    {431, "too many header fields", "6585 5"},
    {431, "the header fields are too large", "6585 5"},
    {400, "no Host field", "9112 3.2"},
    {400, "more than one Host field", "9112 3.2"},
    {400, "the host is malformed", "9110 7.2"},
    {400, "Content-Length is not a number", "9110 8.6"},
    {400, "more than one Content-Length", "9110 8.6"},
    {400, "Content-Length and Transfer-Encoding together", "9112 6.1"},
    {400, "Transfer-Encoding in HTTP/1.0", "9112 6.1"},
    {400, "chunked is not the last and only use of itself in Transfer-Encoding", "9112 6.3"},
    {501, "a transfer coding other than chunked", "9112 6.1"},
    {417, "an expectation other than 100-continue", "9110 10.1.1"},
    {413, "the content is too large", "9110 15.5.14"},
    {400, "the size of a chunk is malformed", "9112 7.1"},
    {400, "a chunk extension is malformed", "9112 7.1.1"},
    {400, "a chunk's size and extensions are too long", "9112 7.1.1"},
    {400, "too much chunk framing for its content", "9112 7.1.1"},
    {400, "a chunk does not end in CRLF", "9112 7.1"},
    {400, "a field that may not be a trailer", "9110 6.5.1"},
    {431, "the trailer fields are too large", "6585 5"},
    {502, "the response does not begin with HTTP/1.0 or HTTP/1.1, a status and a reason", "9112 4"},
    {502, "the status is not between 100 and 599", "9110 15"},
    {502, "the connection ended in the middle of the response", "9112 8"},
}};
static_assert(table.size() == static_cast<std::size_t>(parse_error::cut_short) + 1);

}  // namespace

const parse_error_info& describe(parse_error e) noexcept {
    return table[static_cast<std::size_t>(e)];
}

}  // namespace headrace::net::http
