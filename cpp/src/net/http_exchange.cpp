#include "http_exchange.hpp"

#include <headrace/net/http_server.hpp>
#include <headrace/net/websocket_handshake.hpp>
#include <iterator>

namespace headrace::net::http {
namespace {

struct burst {
    int depth = 0;
    std::vector<command> kept;
};
thread_local burst here;

}  // namespace

bool mailbox::post(command c) {
    bool wake = false;
    {
        const lock_guard hold(mutex_);
        if (closed_) return false;
        wake = waiting_.empty();
        waiting_.push_back(std::move(c));
    }
    if (wake) thread_.post(drain_);
    return true;
}

void mailbox::post_all(std::span<command> some) {
    bool wake = false;
    {
        const lock_guard hold(mutex_);
        if (closed_) return;
        wake = waiting_.empty();
        waiting_.insert(waiting_.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    }
    if (wake) thread_.post(drain_);
}

std::vector<command> mailbox::take() {
    const lock_guard hold(mutex_);
    return std::exchange(waiting_, {});
}

void mailbox::close() {
    std::vector<command> dropped;
    const lock_guard hold(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
}

bool exchange::post(command::what kind, response head, std::string bytes, std::unique_ptr<command::upgrade> socket) {
    if (gone()) return false;
    command c{kind, shared_from_this(), std::move(head), std::move(bytes), std::move(socket)};
    if (here.depth == 0) return box_->post(std::move(c));
    here.kept.push_back(std::move(c));
    return true;
}

void exchange::read_on() {
    if (!gone()) box_->post({command::what::read_on, shared_from_this(), {}, {}, nullptr});
}

answer_burst::answer_burst() noexcept {
    ++here.depth;
}
answer_burst::~answer_burst() {
    if (--here.depth == 0) flush();
}

// One post for each run of answers that go to the same I/O thread.
void answer_burst::flush() {
    if (here.kept.empty()) return;
    auto all = std::exchange(here.kept, {});
    for (auto from = all.begin(); from != all.end();) {
        const auto box = from->to->box();
        auto to = from;
        while (to != all.end() && to->to->box() == box) ++to;
        box->post_all({from, to});
        from = to;
    }
    all.clear();
    if (here.kept.empty()) here.kept = std::move(all);  // its memory, for the next ones
}

void exchange::on_cancel(std::function<void()> notice) {
    {
        const lock_guard hold(mutex_);
        if (!cancelled()) {
            cancel_notice_ = std::move(notice);
            return;
        }
    }
    notice();
}

void exchange::on_room(std::function<void()> ready) {
    {
        const lock_guard hold(mutex_);
        if (!gone() && !has_room()) {
            room_notice_ = std::move(ready);
            return;
        }
    }
    ready();
}

void exchange::set_unsent(std::size_t n) {
    unsent_ = n;
    std::function<void()> ready;
    {
        const lock_guard hold(mutex_);
        if (room_notice_ && has_room()) ready = std::exchange(room_notice_, nullptr);
    }
    if (ready) ready();
}

bool exchange::cancel() {
    std::function<void()> notice;
    {
        const lock_guard hold(mutex_);
        if (cancelled_.exchange(true, std::memory_order_acq_rel)) return false;
        notice = std::exchange(cancel_notice_, nullptr);
    }
    if (notice) notice();
    return true;
}

void exchange::leave() {
    std::function<void()> ready, never_needed;
    {
        const lock_guard hold(mutex_);
        if (gone_.exchange(true, std::memory_order_acq_rel)) return;
        ready = std::exchange(room_notice_, nullptr);
        never_needed = std::exchange(cancel_notice_, nullptr);
    }
    if (ready) ready();
}

// The public handles.

pending::pending(std::shared_ptr<exchange> shared) noexcept : shared_(std::move(shared)) {}
pending::pending(pending&&) noexcept = default;
pending& pending::operator=(pending&& other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
}
pending::~pending() {
    if (shared_) shared_->post(command::what::answer, response::text(500, "the request was not answered\n"));
}

bool pending::send(response r) {
    const auto to = std::exchange(shared_, nullptr);
    return to && to->post(command::what::answer, std::move(r));
}

body_stream pending::stream(response head) {
    auto to = std::exchange(shared_, nullptr);
    if (to) to->post(command::what::stream_head, std::move(head));
    return body_stream(std::move(to));
}

bool pending::accept_websocket(const request_head& handshake, const response& fields, std::string_view protocol,
                               std::shared_ptr<websocket::listener> events, websocket::connection_options options) {
    if (!shared_ || !check_fields(fields).empty()) return false;
    const auto to = std::exchange(shared_, nullptr);
    std::string head;
    websocket::append_accept(head, handshake, protocol, fields.fields);
    return to->post(command::what::websocket, {}, std::move(head),
                    std::unique_ptr<command::upgrade>(new command::upgrade{std::move(events), std::move(options)}));
}

body_reader pending::content() {
    return body_reader(shared_ && shared_->content ? shared_ : nullptr);
}

bool pending::cancelled() const noexcept {
    return !shared_ || shared_->cancelled();
}

void pending::on_cancel(std::function<void()> notice) {
    if (shared_) shared_->on_cancel(std::move(notice));
}

body_stream::body_stream(std::shared_ptr<exchange> shared) noexcept : shared_(std::move(shared)) {}
body_stream::body_stream(body_stream&&) noexcept = default;
body_stream& body_stream::operator=(body_stream&& other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
}
body_stream::~body_stream() {
    if (shared_) shared_->post(command::what::abandon);
}

body_stream::result body_stream::write(std::string bytes) {
    if (!shared_ || shared_->gone()) return result::gone;
    if (bytes.empty()) return result::ok;
    if (!shared_->has_room()) return result::full;
    shared_->count_posted(bytes.size());
    return shared_->post(command::what::stream_bytes, {}, std::move(bytes)) ? result::ok : result::gone;
}

void body_stream::on_writable(std::function<void()> ready) {
    if (shared_) {
        shared_->on_room(std::move(ready));
    } else {
        ready();
    }
}

bool body_stream::cancelled() const noexcept {
    return !shared_ || shared_->cancelled();
}

void body_stream::on_cancel(std::function<void()> notice) {
    if (shared_) shared_->on_cancel(std::move(notice));
}

void body_stream::finish() {
    if (const auto to = std::exchange(shared_, nullptr)) to->post(command::what::stream_end);
}

}  // namespace headrace::net::http
