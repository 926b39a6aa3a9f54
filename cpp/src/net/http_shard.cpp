#include "http_shard.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "http_connection.hpp"

namespace headrace::net::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int accepts_per_turn = 64;
constexpr ns accept_pause = std::chrono::milliseconds{50};  // out of descriptors: others must close first
constexpr ns fresh_patience = std::chrono::seconds{1};      // when draining, for the first request of a new connection

std::array<ns, phases> periods(const server_options& o) {
    std::array<ns, phases> p{};
    const auto set = [&](phase where, ns period) { p[static_cast<std::size_t>(where)] = period; };
    set(phase::handshake, o.header_timeout);
    set(phase::header, o.header_timeout);
    set(phase::body, o.body_timeout);
    set(phase::write, o.write_timeout);
    set(phase::idle, o.idle_timeout);
    set(phase::linger, o.linger_timeout);
    set(phase::websocket, o.websocket_ping_interval);
    return p;
}

std::int64_t epoch_seconds() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &t);
    return t.tv_sec;
}

}  // namespace

void server_settings::choose_limits() noexcept {
    streams = rest.how == body_mode::streamed;
    for (const auto& h : handlers) streams = streams || h.how == body_mode::streamed;
    head_limits = streamed_limits = options.limits;
    constexpr auto any = std::uint64_t{1} << 62;  // a sum with a chunk's size still fits
    streamed_limits.max_body = options.max_streamed_body == 0 ? any : options.max_streamed_body;
    small_body = std::min(options.limits.max_body, streamed_limits.max_body);
    if (streams) head_limits.max_body = std::max(options.limits.max_body, streamed_limits.max_body);
}

void shard_counters::add_to(server_stats& s) const noexcept {
    s.connections_accepted += accepted.get();
    s.connections_open += open.get();
    s.connections_refused += refused.get();
    s.connections_dropped += dropped.get();
    s.websockets_open += websockets.get();
    s.requests += requests.get();
    s.bad_requests += bad_requests.get();
    s.cancelled += cancelled.get();
    s.timeouts += timeouts.get();
    s.bytes_in += bytes_in.get();
    s.bytes_out += bytes_out.get();
    s.writes += writes.get();
    for (std::size_t i = 0; i < responses.size(); ++i) s.responses[i] += responses[i].get();
}

shard::shard(std::shared_ptr<server_settings> settings, std::shared_ptr<runtime> keeps, io_thread& thread)
    : runtime_(std::move(keeps)),
      settings_(std::move(settings)),
      thread_(thread),
      acceptor_(thread.context()),
      timer_(thread.context()),
      accept_timer_(thread.context()),
      fresh_timer_(thread.context()),
      timeouts_(periods(settings_->options)) {}

failure shard::listen(const tcp::endpoint& where, bool share_port) {
    error_code ec;
    const auto text = where.address().to_string() + ":" + std::to_string(where.port());
    const auto failed = [&](const char* what) {
        return failure::of(errc::connection_failed, std::string("cannot ") + what + " " + text + ": " + ec.message());
    };
    acceptor_.open(where.protocol(), ec);
    if (ec) return failed("open a socket for");
    acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    if (share_port) {
        using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
        acceptor_.set_option(reuse_port(true), ec);
    }
    acceptor_.bind(where, ec);
    if (ec) return failed("bind");
    acceptor_.listen(settings_->options.backlog, ec);
    if (ec) return failed("listen on");
    acceptor_.set_option(tcp::no_delay(true), ec);  // accepted sockets inherit it
    acceptor_.non_blocking(true, ec);
    ::fcntl(acceptor_.native_handle(), F_SETFD, FD_CLOEXEC);
    protocol_ = where.protocol();
    return {};
}

tcp::endpoint shard::local() const {
    error_code ec;
    return acceptor_.local_endpoint(ec);
}

void shard::start(std::function<void()> on_empty) {
    on_empty_ = std::move(on_empty);
    box_ = std::make_shared<mailbox>(runtime_, thread_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->drain_mailbox();
    });
    new_turn();
    wait_accept();
}

// --- accepting ---

void shard::wait_accept() {
    if (draining_) return;
    acceptor_.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](const error_code& ec) {
        if (ec || self->draining_) return;
        self->accept_some();
    });
}

void shard::accept_some() {
    new_turn();
    for (int i = 0; i < accepts_per_turn; ++i) {
        const int fd = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) continue;
            return accept_later();
        }
        error_code ec;
        tcp::socket socket(thread_.context());
        socket.assign(protocol_, fd, ec);
        if (ec) {
            ::close(fd);
            return accept_later();
        }
        add(std::move(socket));
    }
    wait_accept();
}

void shard::accept_later() {
    accept_timer_.expires_after(accept_pause);
    accept_timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (!ec) self->wait_accept();
    });
}

void shard::add(tcp::socket socket) {
    counters.accepted.add();
    if (settings_->open.fetch_add(1) >= settings_->options.max_connections) {
        settings_->open.fetch_sub(1);
        return refuse(socket);
    }
    counters.open.add();
    auto io =
        settings_->tls ? make_tls_transport(std::move(socket), *settings_->tls) : make_tcp_transport(std::move(socket));
    std::make_shared<connection>(shared_from_this(), std::move(io))->start();
}

// One connection too many is told so, as far as that takes no waiting.
void shard::refuse(tcp::socket& socket) {
    counters.refused.add();
    if (settings_->tls) return;
    std::string out;
    response r = response::text(503, "too many connections\n");
    r.fields.emplace_back("Retry-After", "1");
    append_response(out, r, r.body, {.keep_alive = false, .date = date_, .server = options().server_name});
    std::array<char, 4096> unread;
    const auto fd = socket.native_handle();
    while (::recv(fd, unread.data(), unread.size(), MSG_DONTWAIT) > 0) {
    }
    if (::send(fd, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) counters.responses[5].add();
    ::shutdown(fd, SHUT_WR);
}

// --- time ---

ns shard::new_turn() {
    now_ = monotonic_now();
    if (const auto second = epoch_seconds(); second != second_) {
        second_ = second;
        date_ = http_date(second);
    }
    return now_;
}

const std::string& shard::log_time() {
    if (log_second_ != second_) {
        log_second_ = second_;
        log_time_ = clf_time(second_);
    }
    return log_time_;
}

ns shard::period(phase p) const noexcept {
    return timeouts_.period(p);
}

void shard::enter(connection& c, phase p) {
    timeouts_.enter(c, p, now_);
    if (c.due < armed_) arm_timer();
}

// The timer is never moved for what is due later than it fires, so a steady flow of requests does not touch it.
void shard::arm_timer() {
    const auto due = timeouts_.next_due();
    if (due >= armed_) return;
    armed_ = due;
    timer_.expires_at(std::chrono::steady_clock::time_point(due));
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (!ec) self->on_timer();
    });
}

void shard::on_timer() {
    armed_ = timeouts::never;
    new_turn();
    while (auto* e = timeouts_.expired(now_)) {
        const auto c = static_cast<connection*>(e)->shared_from_this();
        c->on_timeout();
        // What stayed in its phase unasked is looked at again after another period.
        if (!c->closed() && c->due <= now_) enter(*c, c->where);
    }
    arm_timer();
}

// --- answers from other threads ---

void shard::drain_mailbox() {
    new_turn();
    std::shared_ptr<connection> last;
    auto commands = box_->take();
    for (auto& c : commands) {
        auto to = c.to->owner();
        if (last && last != to) last->end_turn();
        last = std::move(to);
        if (last) last->apply(c);
    }
    if (last) last->end_turn();
}

void shard::flush_later(std::shared_ptr<connection> c) {
    if (dirty_.empty()) {
        asio::post(thread_.context(), [self = shared_from_this()] { self->flush_dirty(); });
    }
    if (dirty_.empty() || dirty_.back() != c) dirty_.push_back(std::move(c));
}

void shard::flush_dirty() {
    new_turn();
    const auto list = std::exchange(dirty_, {});
    for (const auto& c : list) c->end_turn();
}

// --- ending ---

void shard::removed(connection& c, bool websocket) {
    timeouts_.remove(c);
    counters.open.sub();
    if (websocket) counters.websockets.sub();
    settings_->open.fetch_sub(1);
    if (draining_) check_empty();
}

void shard::check_empty() {
    if (counters.open.get() != 0 || !on_empty_) return;
    accept_timer_.cancel();
    fresh_timer_.cancel();
    timer_.cancel();
    box_->close();
    std::exchange(on_empty_, nullptr)();
}

void shard::drain() {
    if (draining_) return;
    accept_some();  // what the kernel has accepted for us would be reset with the listener
    draining_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    new_turn();
    timeouts_.for_each([](timeout_entry& e) { static_cast<connection&>(e).drain(false); });
    fresh_timer_.expires_after(fresh_patience);
    fresh_timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (ec) return;
        self->timeouts_.for_each([](timeout_entry& e) { static_cast<connection&>(e).drain(true); });
    });
    check_empty();
}

void shard::close_all() {
    timeouts_.for_each([](timeout_entry& e) { static_cast<connection&>(e).close(true); });
    check_empty();
}

}  // namespace headrace::net::http
