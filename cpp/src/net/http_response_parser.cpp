#include <algorithm>
#include <headrace/net/http_response_parser.hpp>

#include "http_response_head.hpp"

namespace headrace::net::http {
namespace {

using step = parse_step;
using event = parse_event;
using content = response_head::content;
constexpr step more{event::need_more, 0, {}};

}  // namespace

step response_parser::fail(parse_error e) noexcept {
    error_ = e;
    state_ = state::failed;
    return {event::failed, 0, {}};
}

step response_parser::next(std::string_view in, std::vector<field>& fields, response_head& head) {
    switch (state_) {
        case state::head: return read_head(in, fields, head);
        case state::fixed: return read_fixed(in);
        case state::chunked: return read_chunked(in);
        case state::until_close: return in.empty() ? more : step{event::body, in.size(), in};
        case state::complete: state_ = state::head; return {event::complete, 0, {}};
        case state::failed: break;
    }
    return {event::failed, 0, {}};
}

// As in request_parser: an incomplete head is read again at most once per line, however small its pieces.
step response_parser::read_head(std::string_view in, std::vector<field>& fields, response_head& head) {
    if (in.empty()) return more;
    if (scanned_ != 0 && in.size() < look_again_ &&
        in.substr(std::min(scanned_, in.size())).find('\n') == std::string_view::npos) {
        scanned_ = in.size();
        return more;
    }
    const auto result = parse_response_head(in, *limits_, answers_head_, fields, head);
    if (result.outcome == head_result::what::failed) return fail(result.error);
    if (result.outcome == head_result::what::incomplete) {
        scanned_ = in.size();
        look_again_ = result.look_again;
        return more;
    }
    scanned_ = 0;
    switch (head.kind) {
        case content::none: state_ = state::complete; break;
        case content::chunked:
            chunks_ = {};
            state_ = state::chunked;
            break;
        case content::until_close: state_ = state::until_close; break;
        case content::length:
            left_ = head.content_length;
            state_ = left_ != 0 ? state::fixed : state::complete;
            break;
    }
    return {event::head, result.consumed, {}};
}

step response_parser::read_fixed(std::string_view in) noexcept {
    if (in.empty()) return more;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
    left_ -= n;
    if (left_ == 0) state_ = state::complete;
    return {event::body, n, in.substr(0, n)};
}

step response_parser::read_chunked(std::string_view in) noexcept {
    const auto s = chunks_.next(in, *limits_);
    if (s.what == event::failed) return fail(chunks_.error());
    if (s.what == event::complete) state_ = state::head;
    return s;
}

event response_parser::end_of_stream(bool bytes_left) noexcept {
    switch (state_) {
        case state::until_close: state_ = state::head; return event::complete;
        case state::complete: state_ = state::head; return event::complete;
        case state::head:
            if (!bytes_left) return event::need_more;
            break;
        case state::fixed:
        case state::chunked:
        case state::failed: break;
    }
    if (state_ != state::failed) fail(parse_error::cut_short);
    return event::failed;
}

}  // namespace headrace::net::http
