// The head of a request in one pass over its bytes. Used by request_parser, which owns what is kept between calls.
#pragma once

#include <headrace/net/http_message.hpp>
#include <headrace/net/http_parse_error.hpp>
#include <vector>

namespace headrace::net::http {

struct head_result {
    enum class what : std::uint8_t { incomplete, complete, failed } outcome;
    parse_error error = parse_error::none;
    std::size_t consumed = 0;    ///< complete: the head's size
    std::size_t look_again = 0;  ///< incomplete: from this size on a limit is exceeded even without another line end
};

/// Reads `in` from the first byte of a request on. Fields go to `fields`, the rest to `head`; views point into `in`.
head_result parse_head(std::string_view in, const parse_limits& limits, std::vector<field>& fields, request_head& head);

/// What the fields and the target mean for the request: Host, content, connection, expectation (http_framing.cpp).
parse_error interpret_head(const parse_limits& limits, request_head& head);

/// The values of Transfer-Encoding and Content-Length, for requests and responses alike. `length` begins at 0.
parse_error read_encoding(std::string_view list, bool& chunked) noexcept;
parse_error read_length(std::string_view text, std::uint64_t most, std::uint64_t& length) noexcept;

/// The forms of a request target and their parts (RFC 9112, section 3.2); http_target.cpp.
parse_error split_target(request_head& head);
bool is_host(std::string_view text) noexcept;

}  // namespace headrace::net::http
