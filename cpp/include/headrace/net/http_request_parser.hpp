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

#include <headrace/net/http_chunk_reader.hpp>
#include <headrace/net/http_message.hpp>
#include <headrace/net/http_parse_error.hpp>
#include <string_view>
#include <vector>

namespace headrace::net::http {

class request_parser {
public:
    using event = parse_event;
    using step = parse_step;

    explicit request_parser(const parse_limits& limits) noexcept : limits_(&limits), content_limits_(&limits) {}

    /// Looks at the bytes from the first that was not consumed on, and says what they begin with. `fields` is where the
    /// head's fields go; between the head and the next call it must stay, so parsers of one thread can share one.
    step next(std::string_view in, std::vector<field>& fields, request_head& head);
    /// For the content of the request whose head was just given, when they are not those of heads. A length that the
    /// head gave was checked against those.
    void limit_content(const parse_limits& limits) noexcept { content_limits_ = &limits; }
    parse_error error() const noexcept { return error_; }
    /// True between two requests, when none of the next one has been seen.
    bool between_requests() const noexcept { return state_ == state::head && scanned_ == 0; }
    /// True until the head is complete.
    bool in_head() const noexcept { return state_ == state::head; }

private:
    enum class state : std::uint8_t {
        head,
        fixed,
        chunked,
        complete,
        failed,
    };
    step fail(parse_error e) noexcept;
    step read_head(std::string_view in, std::vector<field>& fields, request_head& head);
    step read_fixed(std::string_view in) noexcept;
    step read_chunked(std::string_view in) noexcept;

    const parse_limits* limits_;
    const parse_limits* content_limits_;
    std::size_t scanned_ = 0;     // of an incomplete head: bytes looked at
    std::size_t look_again_ = 0;  // of an incomplete head: from this size on a limit is exceeded
    std::uint64_t left_ = 0;      // of content with a length
    chunk_reader chunks_;
    state state_ = state::head;
    parse_error error_ = parse_error::none;
};

}  // namespace headrace::net::http
