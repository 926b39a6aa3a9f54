// Responses out of a stream of bytes: HTTP/1.0 and 1.1, as strict as request_parser where two readers could disagree on
// where a response ends.
//
// Refused: bare LF, bare CR, obs-fold, white space before a colon, more than one Content-Length, Content-Length together
// with Transfer-Encoding, any coding but chunked (none was asked for), a status outside 100..599. Accepted although the
// grammar wants it: a status line without the space that precedes an empty reason.
//
// Threads:  pure; one owner.
// Lifetime: the head's views point into the bytes given to next() and into the `fields` table.
// Errors:   parse_event::failed, then error() says why and which section of which RFC it breaks.
#pragma once

#include <headrace/net/http_chunk_reader.hpp>
#include <headrace/net/http_message.hpp>
#include <headrace/net/http_parse_error.hpp>
#include <string_view>
#include <vector>

namespace headrace::net::http {

/// For responses that are read and counted, not kept: heads are bounded, content is not.
inline constexpr parse_limits response_limits{.max_body = std::uint64_t{1} << 60};

class response_parser {
public:
    explicit response_parser(const parse_limits& limits = response_limits) noexcept : limits_(&limits) {}

    /// What follows answers such a request: the answer to HEAD has no content whatever its head says. Once per request.
    void expect(bool answers_head) noexcept { answers_head_ = answers_head; }

    /// Looks at the bytes from the first that was not consumed on, and says what they begin with. Interim responses
    /// (1xx) are `head` and `complete` like others; the final one follows (101 is final: what follows is not HTTP).
    parse_step next(std::string_view in, std::vector<field>& fields, response_head& head);

    /// The stream has ended: `complete` when that is how the content ends, `need_more` between two responses, otherwise
    /// `failed` (cut_short).
    parse_event end_of_stream(bool bytes_left) noexcept;

    parse_error error() const noexcept { return error_; }
    /// True until the head is complete.
    bool in_head() const noexcept { return state_ == state::head; }

private:
    enum class state : std::uint8_t { head, fixed, chunked, until_close, complete, failed };
    parse_step fail(parse_error e) noexcept;
    parse_step read_head(std::string_view in, std::vector<field>& fields, response_head& head);
    parse_step read_fixed(std::string_view in) noexcept;
    parse_step read_chunked(std::string_view in) noexcept;

    const parse_limits* limits_;
    std::size_t scanned_ = 0;     // of an incomplete head: bytes looked at
    std::size_t look_again_ = 0;  // of an incomplete head: from this size on a limit is exceeded
    std::uint64_t left_ = 0;      // of content with a length
    chunk_reader chunks_;
    state state_ = state::head;
    parse_error error_ = parse_error::none;
    bool answers_head_ = false;
};

}  // namespace headrace::net::http
