// The head of a response in one pass over its bytes. Used by response_parser, which owns what is kept between calls.
#pragma once

#include "http_head.hpp"

namespace headrace::net::http {

/// Reads `in` from the first byte of a response on, and what its fields mean for its content.
head_result parse_response_head(std::string_view in, const parse_limits& limits, bool answers_head,
                                std::vector<field>& fields, response_head& head);

}  // namespace headrace::net::http
