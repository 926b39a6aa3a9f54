#include "http_connection.hpp"

#include <cerrno>
#include <system_error>

namespace headrace::load {
namespace {

using step = http_connection::step;
using what = io_result::what;

// Above this, a request may leave in several segments, and the last must not wait for an acknowledgement of the others.
constexpr std::size_t one_segment = 1200;
// Reads of one connection before the others have their turn.
constexpr int reads_in_a_row = 16;

std::string words_of(int error) {
    return std::generic_category().message(error);
}

}  // namespace

void http_connection::begin(http_io& io, const http_request& request) {
    request_ = &request;
    unsent_ = request.bytes;
    answer_.begin(request.head, io.expectation.wants_body());
    how_ = outcome::ok;
}

step http_connection::send(http_io& io, const http_request& request) {
    begin(io, request);
    reused_ = true;
    phase_ = phase::busy;
    return send_rest(io);
}

step http_connection::open_and_send(http_io& io, const http_request& request, const http_origin& origin,
                                    const socket_address& to, unsigned source, std::uint64_t key) {
    close();
    begin(io, request);
    reused_ = false;
    connecting_ = true;
    tls_ = origin.tls;
    opened_at_ = monotonic_now();
    const int error = socket_.open(to, source, tls_ || request.bytes.size() > one_segment);
    if (error != 0 && error != EINPROGRESS) return fail(outcome_of_errno(error), words_of(error));
    phase_ = phase::connecting;
    if (const int full = io.events.add(socket_.fd(), key); full != 0) return fail(outcome::other_error, words_of(full));
    if (tls_) {
        if (!socket_.begin_tls(io.tls, origin.host, io.verify)) return fail(outcome::tls_failed, "out of memory");
        return error == 0 ? connected(io) : step::waiting;
    }
    // On loopback the peer's kernel has often accepted by now, which saves a turn of the loop.
    const auto r = socket_.send(unsent_);
    if (r.outcome == what::again || (r.outcome == what::failed && r.error == ENOTCONN)) return step::waiting;
    if (r.outcome == what::failed) return fail(outcome_of_errno(r.error), words_of(r.error));
    unsent_.remove_prefix(r.n);
    io.tally.counts().bytes_out += r.n;
    return connected(io);
}

step http_connection::connected(http_io& io) {
    if (tls_) {
        phase_ = phase::shaking;
        return shake_hands(io);
    }
    connecting_ = false;
    io.tally.connected(opened_at_, monotonic_now());
    phase_ = phase::busy;
    return send_rest(io);
}

step http_connection::shake_hands(http_io& io) {
    const auto r = socket_.shake_hands();
    if (r.outcome == what::again) return step::waiting;
    if (r.outcome != what::done) {
        const bool ended = r.outcome == what::end || r.error != 0;
        return fail(outcome::tls_failed, ended ? "the connection ended during the handshake" : socket_.tls_error());
    }
    connecting_ = false;
    io.tally.connected(opened_at_, monotonic_now());
    phase_ = phase::busy;
    return send_rest(io);
}

step http_connection::send_rest(http_io& io) {
    while (!unsent_.empty()) {
        const auto r = socket_.send(unsent_);
        if (r.outcome == what::again) return step::waiting;
        // The answer may have come before the request was taken (413, 400): read it rather than report the pipe.
        if (r.outcome != what::done) return receive(io, true);
        unsent_.remove_prefix(r.n);
        io.tally.counts().bytes_out += r.n;
    }
    return step::waiting;
}

step http_connection::on_events(http_io& io, std::uint32_t events) {
    const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
    switch (phase_) {
        case phase::closed: return step::waiting;
        case phase::connecting: {
            const int error = broken ? socket_.connect_error() : 0;
            if (error != 0) return fail(outcome_of_errno(error), words_of(error));
            return (events & (EPOLLOUT | EPOLLIN)) != 0 ? connected(io) : step::waiting;
        }
        case phase::shaking: return shake_hands(io);
        case phase::idle: look_while_idle(io); return step::waiting;
        case phase::busy: break;
    }
    if (!unsent_.empty() && (events & EPOLLOUT) != 0) {
        if (const auto s = send_rest(io); s != step::waiting) return s;
    }
    const bool ends = broken || (events & EPOLLRDHUP) != 0;
    if (!ends && (events & EPOLLIN) == 0) return step::waiting;
    const auto s = receive(io, ends);
    if (ends && s == step::complete) close();
    return s;
}

// Edge-triggered: read until the kernel has no more. A short read says so, unless the end of the stream was announced.
step http_connection::receive(http_io& io, bool until_end) {
    for (int reads = 0; reads < reads_in_a_row; ++reads) {
        const auto r = socket_.receive(io.buffer);
        if (r.outcome == what::again) return step::waiting;
        if (r.outcome == what::failed) return fail_with(r);
        if (r.outcome == what::end) return take(io, answer_.end_of_stream());
        io.tally.counts().bytes_in += r.n;
        const auto got = answer_.feed({io.buffer.data(), r.n}, io.fields);
        if (got != http_answer::result::more) return take(io, got);
        if (!until_end && !tls_ && r.n < io.buffer.size()) return step::waiting;
    }
    return step::more;
}

step http_connection::take(http_io& io, http_answer::result r) {
    if (r == http_answer::result::failed) {
        const auto e = answer_.error();
        if (!answer_.started()) return fail(outcome::closed, "");
        if (e == net::http::parse_error::cut_short || e == net::http::parse_error::none) {
            return fail(outcome::cut_short, "");
        }
        const auto& why = net::http::describe(e);
        return fail(outcome::bad_response, std::string(why.text) + " (RFC " + std::string(why.section) + ")");
    }
    how_ = io.expectation.judge(answer_.status(), answer_.body());
    const bool again = io.keep_alive && answer_.keep_alive() && unsent_.empty();
    phase_ = phase::idle;
    if (!again) close();
    return step::complete;
}

// Only TLS has something to say between two answers (session tickets). Anything else ends the connection.
void http_connection::look_while_idle(http_io& io) {
    const auto r = socket_.receive(io.buffer);
    if (r.outcome != what::again) close();
}

step http_connection::fail_with(const io_result& r) {
    if (r.error == 0) return fail(outcome::tls_failed, socket_.tls_error());
    return fail(outcome_of_errno(r.error), words_of(r.error));
}

step http_connection::fail(outcome how, std::string detail) {
    how_ = how;
    detail_ = std::move(detail);
    close();
    return step::failed;
}

void http_connection::close() noexcept {
    socket_.close();
    phase_ = phase::closed;
}

}  // namespace headrace::load
