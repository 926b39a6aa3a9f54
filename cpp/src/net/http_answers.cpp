// The part of a connection that writes answers: at once, later, and as they are made.
#include <utility>

#include "http_connection.hpp"
#include "http_websocket_peer.hpp"

namespace headrace::net::http {
namespace {
constexpr std::size_t move_from = 16 * 1024;  // larger content is not copied into the scratch
}

response_framing connection::framing(bool keep_alive) const noexcept {
    return {.keep_alive = keep_alive,
            .head_request = head_request_,
            .minor_version = minor_version_,
            .date = home_->date(),
            .server = home_->options().server_name};
}

bool connection::keeps_alive() const noexcept {
    const auto most = home_->options().max_requests_per_connection;
    return keep_alive_ && !home_->draining() && !unread_input_ && (most == 0 || requests_ < most);
}

void connection::answered(unsigned status, std::size_t bytes) {
    home_->counters.responses[status / 100].add();
    if (const auto& log = home_->settings().log) write_log(*log, status, bytes);
}

void connection::write_log(access_log& log, unsigned status, std::size_t bytes) {
    access_entry e;
    const auto& client = peer();
    e.peer = client.host.empty() ? std::string_view("-") : std::string_view(client.host);
    if (log_line_.empty()) {
        e.method = unread_input_ && !kept_ && home_->head.method.empty() ? "-" : current_head().method;
        e.target = current_head().target;
    } else {
        const std::string_view both = log_line_;
        e.method = both.substr(0, both.find(' '));
        e.target = both.substr(e.method.size() + 1);
    }
    e.minor_version = minor_version_;
    e.status = status;
    e.bytes = bytes;
    e.took = monotonic_now() - asked_;
    log.add(e, home_->log_time());
    log_line_.clear();
}

void connection::send_simple(unsigned status, std::string_view content_type, std::string_view body, bool keep_alive) {
    auto& out = home_->scratch;
    const auto before = out.size();
    append_simple_response(out, status, content_type, body, framing(keep_alive));
    if (!keep_alive) closing_ = true;
    answered(status, out.size() - before);
}

void connection::send(response r) {
    if (r.status < 200 || r.status > 599 || !check_fields(r).empty()) {
        return send_simple(500, "text/plain; charset=utf-8", "the answer was malformed\n", keeps_alive());
    }
    send_checked(r);
}

void connection::send_checked(response& r) {
    auto& out = home_->scratch;
    const bool keep = keeps_alive();
    const auto before = out.size();
    if (r.body.size() < move_from) {
        append_response(out, r, r.body, framing(keep));
        if (!keep) closing_ = true;
        return answered(r.status, out.size() - before);
    }
    append_head(out, r, r.body.size(), framing(keep));
    if (!keep) closing_ = true;
    const bool content = !head_request_ && may_have_content(r.status);
    answered(r.status, out.size() - before + (content ? r.body.size() : 0));
    if (content) send_large(std::move(r.body));
}

void connection::send_large(std::string body) {
    auto& queue = need_queue();
    queue.append(std::string_view(home_->scratch));
    home_->scratch.clear();
    queue.append(std::move(body));
}

// --- from other threads ---

void connection::apply(command& c) {
    using what = command::what;
    if (c.kind == what::stream_bytes) c.to->taken(c.bytes.size());
    if (closed_ || exchange_ != c.to) return;  // it was for an earlier request, or nobody waits any more
    home_->new_turn();
    switch (c.kind) {
        case what::answer:
            if (streaming_) return;
            finish_content();
            send(std::move(c.head));
            return finish_exchange();
        case what::stream_head: return begin_stream(c.head);
        case what::stream_bytes: return stream_bytes(std::move(c.bytes));
        case what::stream_end: return end_stream();
        case what::websocket: return begin_websocket(c);
        case what::read_on: return read_on();
        case what::abandon: flush(); return close(true);
    }
}

// The next requests of a pipeline are handled in the same turn.
void connection::finish_exchange() {
    std::exchange(exchange_, nullptr)->leave();
    kept_.reset();
    streaming_ = false;
    process();
}

void connection::begin_stream(const response& head) {
    if (streaming_) return;
    if (head.status < 200 || head.status > 599 || !check_fields(head).empty()) {
        finish_content();
        send(response{0, {}, {}, {}});
        return finish_exchange();
    }
    streaming_ = true;
    continue_owed_ = false;
    stream_status_ = head.status;
    stream_content_ = !head_request_ && may_have_content(head.status);
    const bool keep = keeps_alive();
    const auto end = append_stream_head(home_->scratch, head, framing(keep));
    stream_chunks_ = end == stream_end::chunks;
    stream_keep_ = keep && (end != stream_end::close || !stream_content_);
    stream_bytes_ = 0;
    stream_length_ = end == stream_end::length ? head.content_length : -1;
}

// What was asked on this connection is a WebSocket from now on.
void connection::begin_websocket(command& c) {
    if (streaming_) return;
    if (content_) return close(true);  // not of a handshake
    home_->scratch.append(c.bytes);
    answered(101, c.bytes.size());
    websocket_ = std::make_shared<websocket_peer>(*this, std::move(c.socket->events), c.socket->options);
    home_->counters.websockets.add();
    std::exchange(exchange_, nullptr)->leave();
    kept_.reset();
    open_websocket();
    process();
}

// The answer to the handshake leaves before what the listener sends.
void connection::open_websocket() {
    need_queue().append(std::string_view(home_->scratch));
    home_->scratch.clear();
    websocket_->open();
}

void connection::stream_bytes(std::string bytes) {
    if (!streaming_ || !stream_content_) return;
    if (stream_length_ >= 0) {  // what is more than was said would be read as the next answer
        const auto left = static_cast<std::uint64_t>(stream_length_) - stream_bytes_;
        if (bytes.size() > left) bytes.resize(left);
    }
    stream_bytes_ += bytes.size();
    auto& out = home_->scratch;
    if (bytes.size() < move_from) {
        if (stream_chunks_) {
            append_chunk(out, bytes);
        } else {
            out.append(bytes);
        }
        return;
    }
    if (stream_chunks_) append_chunk_size(out, bytes.size());
    send_large(std::move(bytes));
    if (stream_chunks_) need_queue().append(std::string_view("\r\n"));
}

void connection::end_stream() {
    if (!streaming_) return;
    if (stream_chunks_ && stream_content_) append_last_chunk(home_->scratch);
    const bool short_of =
        stream_content_ && stream_length_ >= 0 && stream_bytes_ != static_cast<std::uint64_t>(stream_length_);
    if (short_of) {  // only the end of the connection tells the client
        flush();
        return close(true);
    }
    finish_content();
    if (!stream_keep_ || unread_input_) closing_ = true;
    answered(stream_status_, stream_bytes_);
    finish_exchange();
}

}  // namespace headrace::net::http
