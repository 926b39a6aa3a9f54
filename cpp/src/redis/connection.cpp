#include <algorithm>
#include <charconv>
#include <headrace/redis/connection.hpp>

namespace headrace::redis {
namespace {

constexpr std::size_t read_buffer_bytes = 64 * 1024;
constexpr std::size_t max_write_pieces = 16;

bool is_final(const failure& f) {
    return f.code == errc::authentication_failed || f.code == errc::server_error || f.code == errc::invalid_argument;
}

failure parse_db(std::string_view text, const net::url& address, unsigned& db) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), db);
    if (error == std::errc{} && end == text.data() + text.size()) return {};
    return failure::of(errc::invalid_argument,
                       address.display() + ": the database must be a number, not '" + std::string(text) + "'");
}

}  // namespace

failure parse_address(const net::url& address, connection_options& out, std::span<const std::string_view> known) {
    auto& where = out.where;
    if (address.scheme == "unix") {
        where.kind = net::transport::unix_socket;
        where.path = address.host.empty() ? address.path : address.host + address.path;
        if (where.path.empty()) return failure::of(errc::invalid_argument, "unix:// needs the path of a socket");
    } else if (address.scheme == "redis" || address.scheme == "rediss") {
        where.kind = address.scheme == "rediss" ? net::transport::tls : net::transport::tcp;
        where.host = address.host.empty() ? "127.0.0.1" : address.host;
        where.port = address.port == 0 ? 6379 : address.port;
        const std::string_view db = std::string_view(address.path).substr(address.path.empty() ? 0 : 1);
        if (!db.empty()) {
            if (auto bad = parse_db(db, address, out.session.db)) return bad;
        }
    } else {
        return failure::of(errc::invalid_argument, "unknown scheme '" + address.scheme +
                                                       "'; a Redis address starts with redis://, rediss:// or unix://");
    }
    out.session.user = address.user;
    out.session.password = address.password;
    for (const auto& [key, text] : address.query) {
        if (key == "db") {
            if (auto bad = parse_db(text, address, out.session.db)) return bad;
        } else if (key == "client_name") {
            out.session.client_name = text;
        } else if (key == "verify") {
            where.tls.verify = text != "0" && text != "false";
        } else if (key == "cafile") {
            where.tls.ca_file = text;
        } else if (key == "certfile") {
            where.tls.cert_file = text;
        } else if (key == "keyfile") {
            where.tls.key_file = text;
        } else if (std::find(known.begin(), known.end(), key) == known.end()) {
            return failure::of(errc::invalid_argument, address.display() + ": unknown option '" + key + "' in the url");
        }
    }
    return {};
}

std::shared_ptr<connection> connection::make(net::io_thread& thread, connection_options options, listener& events) {
    return std::shared_ptr<connection>(new connection(thread, std::move(options), events));
}

connection::connection(net::io_thread& thread, connection_options options, listener& events)
    : thread_(thread),
      options_(std::move(options)),
      events_(events),
      session_(options_.session),
      backoff_(options_.backoff),
      retry_timer_(thread.context()),
      tick_timer_(thread.context()),
      in_(read_buffer_bytes),
      pieces_(max_write_pieces) {}

void connection::open() {
    down_since_ = monotonic_now();
    connect();
}

void connection::connect() {
    phase_ = phase::connecting;
    attempt_ = net::async_connect(thread_, options_.where, options_.connect_timeout,
                                  [self = shared_from_this()](failure why, std::unique_ptr<net::stream> stream) {
                                      self->connected(std::move(why), std::move(stream));
                                  });
}

void connection::connected(failure why, std::unique_ptr<net::stream> stream) {
    attempt_.reset();
    if (phase_ == phase::closed) {
        if (stream) stream->close();
        return;
    }
    if (why) return lose(std::move(why));
    stream_ = std::move(stream);
    phase_ = phase::open;
    session_.on_connected(monotonic_now());
    read();
    flush();
}

void connection::read() {
    // The handler holds the stream: it may be replaced while an aborted read is still on its way.
    stream_->async_read_some(in_,
                             [self = shared_from_this(), stream = stream_](const std::error_code& ec, std::size_t n) {
                                 if (self->stream_ == stream) self->on_read(ec, n);
                             });
}

void connection::on_read(const std::error_code& ec, std::size_t bytes) {
    if (ec) {
        const bool eof = ec == std::error_code(boost::asio::error::make_error_code(boost::asio::error::eof));
        return lose(failure::of(errc::connection_failed, "lost the connection to " + display() + ": " +
                                                             (eof ? "closed by the server" : ec.message())));
    }
    ++counters_.reads;
    counters_.bytes_in += bytes;
    const bool was_ready = up();
    if (auto why = session_.on_read({in_.data(), bytes}, monotonic_now())) {
        why.message = display() + ": " + why.message;
        return lose(std::move(why));
    }
    if (phase_ != phase::open) return;  // a reply's handler closed us
    if (!was_ready && up()) {
        if (was_up_) ++counters_.reconnects;
        was_up_ = true;
        backoff_.reset();
        events_.on_up();
    }
    events_.on_batch_end();
    if (phase_ != phase::open) return;
    flush();
    read();
}

void connection::flush() {
    if (phase_ == phase::closed) return;
    arm_tick();
    if (writing_ || phase_ != phase::open) return;
    for (;;) {
        const auto n = session_.gather(pieces_);
        if (n == 0) return;
        ++counters_.writes;
        const auto sent = stream_->try_write({pieces_.data(), n});
        if (sent == 0) break;
        wrote(sent);
    }
    const auto n = session_.gather(pieces_);
    writing_ = true;
    stream_->async_write_some({pieces_.data(), n}, [self = shared_from_this(), stream = stream_](
                                                       const std::error_code& ec, std::size_t sent) {
        if (self->stream_ == stream) self->on_written(ec, sent);
    });
}

void connection::wrote(std::size_t bytes) {
    counters_.bytes_out += bytes;
    session_.on_written(bytes, monotonic_now());
}

void connection::on_written(const std::error_code& ec, std::size_t bytes) {
    writing_ = false;
    if (ec) {
        return lose(failure::of(errc::connection_failed, "lost the connection to " + display() + ": " + ec.message()));
    }
    wrote(bytes);
    flush();  // whatever was queued meanwhile, in one write
}

void connection::lose(failure why) {
    if (phase_ == phase::closed) return;
    const bool was_ready = up();
    if (stream_) stream_->close();
    stream_.reset();
    writing_ = false;
    if (was_ready) down_since_ = monotonic_now();
    if (is_final(why)) return die(why);
    session_.on_lost(why);
    if (phase_ == phase::closed) return;
    events_.on_down(why);
    if (phase_ == phase::closed) return;
    if (out_of_patience(why)) return die(why);
    retry_later();
}

bool connection::out_of_patience(const failure& why) const {
    if (options_.give_up_after.count() == 0) return false;
    // A server that answers but is not ready (-LOADING) is the right one: it gets the whole time.
    const bool answered = why.message.find("not ready") != std::string::npos;
    const ns patience =
        was_up_ || answered ? options_.give_up_after : std::min(options_.give_up_after, options_.give_up_first);
    return monotonic_now() - down_since_ >= patience;
}

void connection::retry_later() {
    phase_ = phase::waiting;
    retry_timer_.expires_after(backoff_.next());
    retry_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
        if (!ec && self->phase_ == phase::waiting) self->connect();
    });
}

void connection::die(const failure& why) {
    if (phase_ == phase::closed) return;
    phase_ = phase::closed;
    retry_timer_.cancel();
    tick_timer_.cancel();
    session_.on_given_up(why);
    events_.on_dead(why);
}

void connection::close() {
    if (phase_ == phase::closed) return;
    phase_ = phase::closed;
    if (attempt_) attempt_->cancel();
    if (stream_) stream_->close();
    stream_.reset();
    retry_timer_.cancel();
    tick_timer_.cancel();
    session_.on_given_up(failure::of(errc::closed, "the connection to " + display() + " was closed"));
}

// The timer is moved only when something is due earlier than what it waits for, so a steady flow never touches it.
void connection::arm_tick() {
    const ns due = session_.next_tick();
    if (due >= tick_at_) return;
    tick_at_ = due;
    tick_timer_.expires_at(std::chrono::steady_clock::time_point(due));
    tick_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
        if (!ec) self->on_tick();
    });
}

void connection::on_tick() {
    if (phase_ == phase::closed) return;
    tick_at_ = session::no_deadline;
    if (session_.on_tick(monotonic_now())) {
        lose(failure::of(errc::connection_failed, display() + " does not answer any more"));
    }
    if (phase_ != phase::closed) arm_tick();
}

}  // namespace headrace::redis
