#include <algorithm>
#include <headrace/load/http_answer.hpp>

namespace headrace::load {

using net::http::parse_event;
using result = http_answer::result;

outcome http_expectation::judge(unsigned status, std::string_view body) const noexcept {
    const auto holds = [&](const status_range& r) { return status >= r.first && status <= r.last; };
    const bool good = statuses_.empty() ? status < 400 : std::any_of(statuses_.begin(), statuses_.end(), holds);
    if (!good) return outcome::bad_status;
    return text_.empty() || body.find(text_) != std::string_view::npos ? outcome::ok : outcome::bad_body;
}

void http_answer::begin(bool answers_head, bool keep) {
    parser_ = net::http::response_parser();
    parser_.expect(answers_head);
    pending_.clear();
    body_.clear();
    bytes_ = 0;
    status_ = 0;
    interim_ = keep_alive_ = started_ = false;
    keep_ = keep;
}

void http_answer::take(std::string_view piece) {
    bytes_ += piece.size();
    if (keep_) body_ += piece.substr(0, max_kept - std::min(max_kept, body_.size()));
}

result http_answer::read(std::string_view bytes, std::size_t& used, std::vector<net::http::field>& scratch) {
    net::http::response_head head;
    for (;;) {
        const auto step = parser_.next(bytes.substr(used), scratch, head);
        used += step.consumed;
        switch (step.what) {
            case parse_event::need_more: return result::more;
            case parse_event::failed: return result::failed;
            case parse_event::head:
                interim_ = head.interim();
                status_ = head.status;
                keep_alive_ = head.keep_alive;
                break;
            case parse_event::body: take(step.piece); break;
            case parse_event::complete:
                if (!interim_) return result::complete;
                break;
        }
    }
}

result http_answer::feed(std::string_view bytes, std::vector<net::http::field>& scratch) {
    started_ = started_ || !bytes.empty();
    const bool joined = !pending_.empty();
    if (joined) {
        pending_ += bytes;
        bytes = pending_;
    }
    std::size_t used = 0;
    const auto r = read(bytes, used, scratch);
    const auto left = bytes.substr(used);
    // Bytes behind the answer belong to none: the stream is no longer trusted.
    if (r == result::complete && !left.empty()) keep_alive_ = false;
    if (joined) {
        pending_.erase(0, used);
    } else if (r == result::more) {
        pending_.assign(left);
    }
    return r;
}

result http_answer::end_of_stream() noexcept {
    const auto e = parser_.end_of_stream(started_);
    keep_alive_ = false;
    return e == parse_event::complete ? result::complete : result::failed;
}

}  // namespace headrace::load
