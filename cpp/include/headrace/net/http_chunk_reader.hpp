// Content in chunks, out of a stream of bytes (RFC 9112, section 7.1). Trailers are checked and dropped.
//
// Threads:  pure; one owner.   Lifetime: pieces are views into the bytes given to next().
// Errors:   event `failed`, then error() says why.
#pragma once

#include <headrace/net/http_parse_error.hpp>

namespace headrace::net::http {

class chunk_reader {
public:
    /// What the bytes begin with: never `head`. After `complete` or `failed` a new reader is needed.
    parse_step next(std::string_view in, const parse_limits& limits) noexcept;
    parse_error error() const noexcept { return error_; }

private:
    enum class state : std::uint8_t { line, data, end, trailers, complete, failed };
    parse_step fail(parse_error e) noexcept;
    parse_step read_line(std::string_view in, const parse_limits& limits) noexcept;
    parse_step read_data(std::string_view in) noexcept;
    parse_step read_end(std::string_view in) noexcept;
    parse_step read_trailer(std::string_view in, const parse_limits& limits) noexcept;

    std::uint64_t left_ = 0;      // of the chunk
    std::uint64_t body_ = 0;      // content so far
    std::uint64_t overhead_ = 0;  // chunk framing so far
    std::uint32_t trailers_ = 0;
    std::uint32_t trailer_bytes_ = 0;
    state state_ = state::line;
    parse_error error_ = parse_error::none;
};

}  // namespace headrace::net::http
