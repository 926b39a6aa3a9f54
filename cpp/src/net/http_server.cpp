#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/net/http_server.hpp>
#include <utility>

#include "http_shard.hpp"

namespace headrace::net::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

failure make_tls(const server_options& o, std::unique_ptr<asio::ssl::context>& out) {
    out = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    boost::system::error_code ec;
    const auto fail = [&](const std::string& what) {
        return failure::of(errc::invalid_argument, "TLS: cannot use " + what + ": " + ec.message());
    };
    out->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv3 |
                         asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1,
                     ec);
    out->use_certificate_chain_file(o.cert_file, ec);
    if (ec) return fail("the certificate " + o.cert_file);
    const auto& key = o.key_file.empty() ? o.cert_file : o.key_file;
    out->use_private_key_file(key, asio::ssl::context::pem, ec);
    if (ec) return fail("the key " + key);
    return {};
}

failure check(const server_options& o) {
    const auto bad = [](const std::string& what) {
        return failure::of(errc::invalid_argument, "http server: " + what);
    };
    if (o.backlog < 1) return bad("backlog must be at least 1");
    if (o.max_connections == 0) return bad("max_connections must be at least 1");
    if (o.limits.max_request_line < 16) return bad("max_request_line must be at least 16");
    if (o.limits.max_headers == 0) return bad("max_headers must be at least 1");
    for (const ns t : {o.header_timeout, o.body_timeout, o.write_timeout}) {
        if (t < std::chrono::milliseconds{1}) return bad("header, body and write timeouts must be at least 1 ms");
    }
    if (o.idle_timeout < ns{0} || o.linger_timeout < ns{0}) return bad("timeouts must not be negative");
    if (!is_field_value(o.server_name)) return bad("server_name has a control character");
    if (!o.key_file.empty() && o.cert_file.empty()) return bad("key_file without cert_file");
    return {};
}

class server_impl final : public server {
public:
    server_impl(std::shared_ptr<server_settings> settings, std::shared_ptr<runtime> threads)
        : settings_(std::move(settings)), runtime_(std::move(threads)) {}
    ~server_impl() override {
        if (!runtime_->forked()) {
            stop(ns{0});
            return;
        }
        // A child shares the parent's epoll sets: taking its sockets apart would take them from the parent.
        static_cast<void>(new auto(shards_));
        static_cast<void>(new auto(settings_));
    }

    failure route(std::string_view method, std::string_view pattern, handler h, body_mode how) override;
    failure route_rest(handler h, body_mode how) override;
    failure start() override;
    std::uint16_t port() const override { return port_; }
    void begin_stop(ns grace) override;
    bool wait_stopped(ns timeout) override;
    server_stats stats() const override;

private:
    failure resolve(tcp::endpoint& out);
    failure probe(const tcp::endpoint& where);
    void shard_empty() HEADRACE_EXCLUDES(mutex_);
    void close_rest();

    const std::shared_ptr<server_settings> settings_;
    const std::shared_ptr<runtime> runtime_;
    std::vector<std::shared_ptr<shard>> shards_;  // set by start()
    std::uint16_t port_ = 0;
    mutable mutex mutex_;
    condition changed_;
    std::size_t running_ HEADRACE_GUARDED_BY(mutex_) = 0;
    bool stopping_ HEADRACE_GUARDED_BY(mutex_) = false;
    ns close_at_ HEADRACE_GUARDED_BY(mutex_) = ns::max();
};

failure server_impl::route(std::string_view method, std::string_view pattern, handler h, body_mode how) {
    if (!shards_.empty()) return failure::of(errc::invalid_argument, "routes are added before the server starts");
    if (auto bad = settings_->routes.add(method, pattern, settings_->handlers.size())) return bad;
    settings_->handlers.push_back({std::move(h), how});
    return {};
}

failure server_impl::route_rest(handler h, body_mode how) {
    if (!shards_.empty()) return failure::of(errc::invalid_argument, "routes are added before the server starts");
    settings_->rest = {std::move(h), how};
    return {};
}

failure server_impl::resolve(tcp::endpoint& out) {
    const auto& o = settings_->options;
    boost::system::error_code ec;
    asio::io_context context;
    tcp::resolver resolver(context);
    const auto found = resolver.resolve(o.host, std::to_string(o.port), tcp::resolver::passive, ec);
    if (ec || found.empty()) {
        return failure::of(errc::invalid_argument, "cannot listen on '" + o.host + "': " + ec.message());
    }
    out = found.begin()->endpoint();
    return {};
}

// With SO_REUSEPORT a port that somebody listens on could be bound a second time: a socket without it finds out.
failure server_impl::probe(const tcp::endpoint& where) {
    boost::system::error_code ec;
    asio::io_context context;
    tcp::acceptor one(context);
    one.open(where.protocol(), ec);
    if (!ec) one.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) one.bind(where, ec);
    if (!ec) return {};
    return failure::of(errc::connection_failed, "cannot bind " + where.address().to_string() + ":" +
                                                    std::to_string(where.port()) + ": " + ec.message());
}

failure server_impl::start() {
    if (runtime_->forked()) return failure::of(errc::forked, "this server was made before fork(); make a new one");
    if (!shards_.empty()) return failure::of(errc::invalid_argument, "the server was already started");
    tcp::endpoint where;
    if (auto bad = resolve(where)) return bad;
    const bool several = settings_->options.share_port;
    const bool shared = several || runtime_->size() > 1;
    if (shared && !several) {
        if (auto bad = probe(where)) return bad;
    }
    settings_->choose_limits();
    std::vector<std::shared_ptr<shard>> made;
    for (std::size_t i = 0; i < runtime_->size(); ++i) {
        made.push_back(std::make_shared<shard>(settings_, runtime_, runtime_->thread(i)));
        if (auto bad = made.back()->listen(where, shared)) return bad;
        where.port(made.back()->local().port());
    }
    port_ = where.port();
    shards_ = std::move(made);
    {
        const lock_guard hold(mutex_);
        running_ = shards_.size();
    }
    for (const auto& s : shards_) {
        s->thread().post([this, s] {
            s->start([this, &on = s->thread()] {
                // After the handlers that the ending cancelled: they hold the shard, and with it the runtime, which
                // must not end on a thread of its own.
                on.post([this] { shard_empty(); });
            });
        });
    }
    return {};
}

void server_impl::shard_empty() {
    const lock_guard hold(mutex_);
    --running_;
    changed_.notify_all();
}

void server_impl::begin_stop(ns grace) {
    if (runtime_->forked()) return;
    {
        const lock_guard hold(mutex_);
        const ns at = monotonic_now() + grace;
        close_at_ = std::min(close_at_, at);
        if (std::exchange(stopping_, true)) return;
    }
    for (const auto& s : shards_) s->thread().post([s] { s->drain(); });
}

void server_impl::close_rest() {
    for (const auto& s : shards_) {
        s->thread().post([this, held = std::shared_ptr<shard>(s)]() mutable {
            held->close_all();
            held.reset();
            shard_empty();
        });
    }
}

bool server_impl::wait_stopped(ns timeout) {
    if (runtime_->forked()) return true;
    const ns until = monotonic_now() + timeout;
    bool close_now = false;
    for (;;) {
        {
            const lock_guard hold(mutex_);
            const ns now = monotonic_now();
            if (running_ == 0) return true;
            if (now >= close_at_) {
                close_at_ = ns::max();
                close_now = true;
                running_ += shards_.size();  // what close_rest() posts counts as inside, for it holds the shards
            } else if (now >= until) {
                return false;
            } else {
                changed_.wait_for(mutex_, std::min(until, close_at_) - now);
            }
        }
        if (std::exchange(close_now, false)) close_rest();
    }
}

server_stats server_impl::stats() const {
    server_stats s;
    for (const auto& one : shards_) one->counters.add_to(s);
    if (settings_->log) s.log_lines_dropped = settings_->log->dropped();
    return s;
}

}  // namespace

failure server::make(server_options options, std::shared_ptr<runtime> threads, std::shared_ptr<server>& out) {
    if (auto bad = check(options)) return bad;
    auto settings = std::make_shared<server_settings>();
    if (!options.cert_file.empty()) {
        if (auto bad = make_tls(options, settings->tls)) return bad;
    }
    if (!options.access_log.empty()) {
        settings->log = std::make_unique<access_log>(options.max_access_log_buffered);
        if (auto bad = settings->log->open(options.access_log)) return bad;
    }
    settings->options = std::move(options);
    out = std::make_shared<server_impl>(std::move(settings), std::move(threads));
    return {};
}

}  // namespace headrace::net::http
