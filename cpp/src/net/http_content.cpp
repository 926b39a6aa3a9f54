// The part of a connection that hands content over while it comes. While `content_` is there the parser is inside the
// content, and the request is answered by `exchange_`, or by a handler that runs just now.
#include <headrace/net/websocket_handshake.hpp>
#include <utility>

#include "http_connection.hpp"

namespace headrace::net::http {

// A handshake is gathered whole: behind its content the stream is another protocol.
bool connection::streams(const request_head& head, const route_entry* to) const noexcept {
    return to != nullptr && to->how == body_mode::streamed && !websocket::wants_websocket(head);
}

// Where content goes decides how large it may be, and when the client is told to send it.
void connection::begin_content() {
    auto& settings = home_->settings();
    const auto& head = home_->head;
    const bool bounded = settings.streams && (head.chunked || head.content_length > settings.small_body);
    if (!bounded && !head.expects_continue) return;
    const auto* const to = route_of(head);
    const bool streamed = streams(head, to);
    if (bounded) {
        const auto& limits = streamed ? settings.streamed_limits : settings.options.limits;
        if (head.content_length > limits.max_body) return refuse(parse_error::body_too_large);
        parser_.limit_content(limits);
    }
    if (!head.expects_continue) return;
    if (to == nullptr) {
        unread_input_ = true;
        keep_alive_ = false;
        answer_unrouted();
    } else if (begin_ == end_) {
        if (streamed) {
            continue_owed_ = true;
        } else {
            append_continue();
        }
    }
}

void connection::append_continue() {
    home_->scratch.append("HTTP/1.1 100 Continue\r\n\r\n");
    continue_owed_ = false;
}

// All that has arrived of a request was read, and it is not complete: its handler runs now if it takes content as it
// comes. False: it waits for the rest.
bool connection::begin_streaming() {
    if (end_of_stream_ || !home_->settings().streams) return false;
    const auto* const to = route_of(home_->head);
    if (!streams(home_->head, to)) return false;
    content_ = std::make_shared<inflow>(home_->options().max_body_buffered, !continue_owed_);
    content_paused_ = false;
    content_->put(std::exchange(body_, {}));
    call_handler(to->call);
    return true;
}

// What one read of the socket brought becomes one piece.
void connection::read_content() {
    const auto content = content_;  // its end may end it
    content_paused_ = !content->room_for(unread().size());
    if (content_paused_) return;
    std::string arrived;
    const auto what = parse_content(&arrived);
    if (!arrived.empty()) continue_owed_ = false;
    using event = request_parser::event;
    if (what == event::complete) {
        content_.reset();
        content->put_last(std::move(arrived));
        return content->tell();
    }
    content->put(std::move(arrived));
    if (what == event::failed) return refuse(parser_.error());
    if (end_of_stream_) {  // the rest will never come; what is answered can still be sent
        unread_input_ = true;
        if (exchange_->cancel()) home_->counters.cancelled.add();
        end_content(body_failure::left);
    }
    content->tell();
}

// All that has arrived of it: need_more, complete or failed.
request_parser::event connection::parse_content(std::string* into) {
    for (;;) {
        const auto s = parser_.next(unread(), home_->fields, home_->head);
        begin_ += static_cast<std::uint32_t>(s.consumed);
        if (s.what != request_parser::event::body) return s.what;
        if (into != nullptr) into->append(s.piece);
    }
}

// The reader has made room, or asks for the first time.
void connection::read_on() {
    if (!content_) return;
    content_paused_ = false;
    if (continue_owed_) append_continue();
    process();
}

// An answer is complete: what has arrived of the content is skipped, and when that is not all of it the connection ends
// with the answer, so that the rest is never read as a request.
void connection::finish_content() {
    if (!content_) return;
    if (parse_content(nullptr) != request_parser::event::complete) unread_input_ = skipping_ = true;
    end_content(body_failure::over);
}

void connection::end_content(body_failure why) {
    const auto content = std::exchange(content_, nullptr);
    content->fail(why);
    content->tell();
}

// The content cannot be read any further. False when the client cannot be told: an answer has begun. Who reads the
// failure finds the exchange cancelled.
bool connection::fail_content(body_failure why) {
    if (exchange_->cancel() && streaming_) home_->counters.cancelled.add();
    end_content(why);
    if (streaming_) {
        flush();
        close(true);
        return false;
    }
    std::exchange(exchange_, nullptr)->leave();
    return true;
}

}  // namespace headrace::net::http
