#include <algorithm>
#include <headrace/net/http_request_parser.hpp>

#include "http_head.hpp"

namespace headrace::net::http {
namespace {

using step = request_parser::step;
using event = request_parser::event;
constexpr step more{event::need_more, 0, {}};

}  // namespace

step request_parser::fail(parse_error e) noexcept {
    error_ = e;
    state_ = state::failed;
    return {event::failed, 0, {}};
}

step request_parser::next(std::string_view in, std::vector<field>& fields, request_head& head) {
    switch (state_) {
        case state::head: return read_head(in, fields, head);
        case state::fixed: return read_fixed(in);
        case state::chunked: return read_chunked(in);
        case state::complete: state_ = state::head; return {event::complete, 0, {}};
        case state::failed: break;
    }
    return {event::failed, 0, {}};
}

// An incomplete head is read again from its start, but only when a line was completed or a limit is exceeded: at most
// once per field, however small the pieces in which it arrives.
step request_parser::read_head(std::string_view in, std::vector<field>& fields, request_head& head) {
    if (in.empty()) return more;
    if (scanned_ != 0 && in.size() < look_again_ &&
        in.substr(std::min(scanned_, in.size())).find('\n') == std::string_view::npos) {
        scanned_ = in.size();
        return more;
    }
    const auto result = parse_head(in, *limits_, fields, head);
    if (result.outcome == head_result::what::failed) return fail(result.error);
    if (result.outcome == head_result::what::incomplete) {
        scanned_ = in.size();
        look_again_ = result.look_again;
        return more;
    }
    scanned_ = 0;
    left_ = head.content_length;
    chunks_ = {};
    content_limits_ = limits_;
    state_ = head.chunked ? state::chunked : left_ != 0 ? state::fixed : state::complete;
    return {event::head, result.consumed, {}};
}

step request_parser::read_fixed(std::string_view in) noexcept {
    if (in.empty()) return more;
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
    left_ -= n;
    if (left_ == 0) state_ = state::complete;
    return {event::body, n, in.substr(0, n)};
}

step request_parser::read_chunked(std::string_view in) noexcept {
    const auto s = chunks_.next(in, *content_limits_);
    if (s.what == event::failed) return fail(chunks_.error());
    if (s.what == event::complete) state_ = state::head;
    return s;
}

}  // namespace headrace::net::http
