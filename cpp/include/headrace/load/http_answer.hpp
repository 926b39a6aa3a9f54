// The answer to one request as it arrives in pieces: read, counted and judged, not kept.
//
// Pure: no socket, no clock.   Threads: one owner.   Lifetime: nothing of what is fed is kept but what a head or a chunk
// line lacks its end for, and the first MiB of content when it is to be judged.
// Errors:   result::failed, then error() says why.
#pragma once

#include <headrace/load/http_options.hpp>
#include <headrace/load/outcome.hpp>
#include <headrace/net/http_response_parser.hpp>
#include <string>
#include <vector>

namespace headrace::load {

/// What a good answer is.
class http_expectation {
public:
    http_expectation() = default;
    explicit http_expectation(const http_load_options& o) : statuses_(o.expect_status), text_(o.expect_body) {}
    bool wants_body() const noexcept { return !text_.empty(); }
    outcome judge(unsigned status, std::string_view body) const noexcept;

private:
    std::vector<status_range> statuses_;
    std::string text_;
};

class http_answer {
public:
    enum class result : std::uint8_t { more, complete, failed };
    static constexpr std::size_t max_kept = 1024 * 1024;

    /// Before each request. `keep`: content is kept for body().
    void begin(bool answers_head, bool keep);
    /// `scratch` may be shared by all answers of a thread.
    result feed(std::string_view bytes, std::vector<net::http::field>& scratch);
    result end_of_stream() noexcept;

    bool started() const noexcept { return started_; }  ///< a byte has come
    unsigned status() const noexcept { return status_; }
    std::uint64_t bytes() const noexcept { return bytes_; }  ///< of content
    bool keep_alive() const noexcept { return keep_alive_; }
    std::string_view body() const noexcept { return body_; }
    net::http::parse_error error() const noexcept { return parser_.error(); }

private:
    result read(std::string_view bytes, std::size_t& used, std::vector<net::http::field>& scratch);
    void take(std::string_view piece);

    net::http::response_parser parser_;
    std::string pending_;  // of a head or a chunk line without its end
    std::string body_;
    std::uint64_t bytes_ = 0;
    unsigned status_ = 0;
    bool interim_ = false;
    bool keep_alive_ = false;
    bool started_ = false;
    bool keep_ = false;
};

}  // namespace headrace::load
