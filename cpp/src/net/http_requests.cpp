// The part of a connection that turns bytes into requests and requests into answers.
#include <headrace/net/websocket_handshake.hpp>
#include <utility>

#include "http_connection.hpp"
#include "http_websocket_peer.hpp"

namespace headrace::net::http {
namespace {

constexpr std::string_view plain = "text/plain; charset=utf-8";
constexpr std::size_t keep_body_capacity = 64 * 1024;

}  // namespace

std::string_view request::param(std::string_view name) const noexcept {
    for (const auto& p : params) {
        if (p.name == name) return p.value;
    }
    return {};
}

// What a handler holds while it runs.
class connection::turn_responder final : public responder {
public:
    explicit turn_responder(connection& c) : c_(c) {}
    bool used() const noexcept { return used_; }

    void send(unsigned status, std::string_view content_type, std::string_view body) override {
        if (!use()) return;
        c_.finish_content();
        if (status < 200 || status > 599 || !is_field_value(content_type))
            return c_.send({status, std::string(content_type), {}, {}});
        c_.send_simple(status, content_type, body, c_.keeps_alive());
    }
    void send(response r) override {
        if (!use()) return;
        c_.finish_content();
        c_.send(std::move(r));
    }
    pending defer() override {
        if (!use()) return pending(nullptr);
        c_.exchange_ = std::make_shared<exchange>(c_.weak_from_this(), c_.home_->box(),
                                                  c_.home_->options().max_stream_buffered, c_.content_);
        return pending(c_.exchange_);
    }
    bool accept_websocket(std::shared_ptr<websocket::listener> events,
                          const websocket::connection_options& options) override {
        if (!use()) return false;
        c_.finish_content();
        const auto& head = c_.current_head();
        if (const auto bad = websocket::check_handshake(head)) {
            response r = response::text(bad.status, std::string(bad.text) + "\n");
            if (bad.status == 426) {
                r.fields.emplace_back("Upgrade", "websocket");  // RFC 9110, section 15.5.22
                r.fields.emplace_back("Sec-WebSocket-Version", "13");
            }
            c_.send_checked(r);
            return false;
        }
        websocket::append_accept(c_.home_->scratch, head, websocket::choose_protocol(head, options.protocols));
        c_.answered(101, c_.home_->scratch.size());
        c_.websocket_ = std::make_shared<websocket_peer>(c_, std::move(events), options);
        c_.home_->counters.websockets.add();
        return true;
    }
    io_thread& thread() noexcept override { return c_.home_->thread(); }
    const peer_address& peer() override { return c_.peer(); }

private:
    bool use() noexcept { return !std::exchange(used_, true); }
    connection& c_;
    bool used_ = false;
};

// One event of the parser; false when it needs more bytes, or nothing more will be read.
bool connection::one_step() {
    if (begin_ == end_ && parser_.in_head()) return false;
    using event = request_parser::event;
    const auto s = parser_.next(unread(), home_->fields, home_->head);
    begin_ += static_cast<std::uint32_t>(s.consumed);
    switch (s.what) {
        case event::need_more: return false;
        case event::head: begin_request(); return true;
        case event::body: take_body(s.piece); return true;
        case event::complete: handle(); return true;
        case event::failed: refuse(parser_.error()); return false;
    }
    return false;
}

void connection::begin_request() {
    auto& head = home_->head;
    home_->counters.requests.add();
    ++requests_;
    head_begun_ = false;
    keep_alive_ = head.keep_alive;
    head_request_ = head.known_method == verb::head;
    minor_version_ = static_cast<std::uint8_t>(head.minor_version);
    asked_ = home_->now();
    body_view_ = {};
    if (body_.capacity() > keep_body_capacity) body_ = {};
    body_.clear();
    kept_.reset();
    if (head.has_content()) begin_content();
}

void connection::take_body(std::string_view piece) {
    if (piece.empty()) return;
    if (body_.empty() && body_view_.empty() && piece.size() == current_head().content_length) {
        body_view_ = piece;  // whole, in the buffer
        return;
    }
    body_.append(piece);
}

// Content that comes in a later turn needs the head again, when the buffer and the shard's tables belong to others.
void connection::keep_head() {
    const auto& head = home_->head;
    const char* const low = head.method.data();
    const char* const high = buffer_ + begin_;
    kept_ = std::make_unique<kept_head>();
    kept_->bytes.assign(low, static_cast<std::size_t>(high - low));
    const auto moved = [&](std::string_view v) {
        const bool inside = v.data() >= low && v.data() < high;
        return inside ? std::string_view(kept_->bytes).substr(static_cast<std::size_t>(v.data() - low), v.size()) : v;
    };
    for (const auto& f : head.fields) kept_->fields.push_back({moved(f.name), moved(f.value)});
    kept_->head = head;
    for (auto* view :
         {&kept_->head.method, &kept_->head.target, &kept_->head.path, &kept_->head.query, &kept_->head.host}) {
        *view = moved(*view);
    }
    kept_->head.fields = kept_->fields;
    if (!body_view_.empty()) {  // cannot be: content that is whole completes the request in its turn
        body_.assign(body_view_);
        body_view_ = {};
    }
}

const request_head& connection::current_head() const noexcept {
    return kept_ ? kept_->head : home_->head;
}

void connection::handle() {
    if (const auto* const to = route_of(current_head())) {
        call_handler(to->call);
    } else {
        answer_unrouted();
    }
    if (!exchange_) kept_.reset();
}

// Null: nobody takes it, and the shard's match says why.
const route_entry* connection::route_of(const request_head& head) {
    auto& settings = home_->settings();
    auto& match = home_->match;
    settings.routes.find(head.method, head.path, match);
    if (match.what == router::outcome::found) return &settings.handlers[match.route];
    if (!goes_to_rest(head)) return nullptr;
    match.params.clear();
    return &settings.rest;
}

void connection::call_handler(const handler& h) {
    const request r{current_head(), body_view_.empty() ? std::string_view(body_) : body_view_, home_->match.params,
                    content_ != nullptr};
    turn_responder answer(*this);
    const auto before = home_->scratch.size();
    try {
        h(r, answer);
    } catch (...) {
        // Whatever was half done for this request is taken back; the client learns that it failed and nothing else.
        if (exchange_) std::exchange(exchange_, nullptr)->leave();
        finish_content();
        if (!answer.used() || home_->scratch.size() == before) {
            return send_simple(500, plain, "the request could not be handled\n", keeps_alive());
        }
        return;
    }
    if (websocket_) open_websocket();
    if (!answer.used()) {
        finish_content();
        return send_simple(500, plain, "the request was not answered\n", keeps_alive());
    }
    if (exchange_ && home_->settings().log) {
        log_line_.assign(r.head.method).append(" ").append(r.head.target);
    }
}

bool connection::goes_to_rest(const request_head& head) const noexcept {
    return home_->settings().rest.call && head.known_method != verb::connect &&
           home_->match.what != router::outcome::bad_encoding;
}

// Asked of the kernel once.
const peer_address& connection::peer() {
    if (!peer_) peer_ = std::make_unique<peer_address>(io_->peer());
    return *peer_;
}

void connection::answer_unrouted() {
    const auto& head = current_head();
    const auto& match = home_->match;
    if (head.known_method == verb::options && (head.path == "*" || match.what == router::outcome::no_method)) {
        response r{204, {}, {}, {}};
        if (head.path != "*") r.fields.emplace_back("Allow", match.allow);
        return send(std::move(r));
    }
    switch (match.what) {
        case router::outcome::no_method: {
            response r = response::text(405, "this path does not know the method\n");
            r.fields.emplace_back("Allow", match.allow);
            return send(std::move(r));
        }
        case router::outcome::bad_encoding:
            return send_simple(400, plain, "the path is not well percent-encoded\n", keeps_alive());
        default: break;
    }
    if (head.known_method == verb::connect || head.known_method == verb::other) {
        return send_simple(501, plain, "the method is not implemented\n", keeps_alive());
    }
    send_simple(404, plain, "nothing is here\n", keeps_alive());
}

// The stream cannot be read any further. What was complete before has been answered, and its bytes leave first.
void connection::refuse(parse_error why) {
    home_->counters.bad_requests.add();
    if (content_ &&
        !fail_content(why == parse_error::body_too_large ? body_failure::too_large : body_failure::malformed)) {
        return;
    }
    const auto& e = describe(why);
    unread_input_ = true;
    minor_version_ = 1;
    head_request_ = false;
    std::string text(e.text);
    text.append(" (RFC ").append(e.section).append(")\n");
    send_simple(e.status, plain, text, false);
}

void connection::read_websocket() {
    const auto used = websocket_->read({buffer_ + begin_, end_ - begin_});
    begin_ += static_cast<std::uint32_t>(used);
}

}  // namespace headrace::net::http
