#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/container/static_vector.hpp>
#include <headrace/net/stream.hpp>

namespace headrace::net {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using local = asio::local::stream_protocol;
using tls_socket = asio::ssl::stream<tcp::socket>;

constexpr std::size_t max_pieces = 64;
using buffers = boost::container::static_vector<asio::const_buffer, max_pieces>;

buffers to_buffers(std::span<const std::string_view> pieces) {
    buffers out;
    for (const auto& piece : pieces.first(std::min(pieces.size(), max_pieces))) {
        out.emplace_back(piece.data(), piece.size());
    }
    return out;
}

template <class Socket>
class socket_stream final : public stream {
public:
    explicit socket_stream(Socket socket) : socket_(std::move(socket)) {
        boost::system::error_code ignored;
        socket_.lowest_layer().non_blocking(true, ignored);
    }

    void async_read_some(std::span<char> into, handler done) override {
        socket_.async_read_some(asio::buffer(into.data(), into.size()), std::move(done));
    }
    void async_write_some(std::span<const std::string_view> pieces, handler done) override {
        socket_.async_write_some(to_buffers(pieces), std::move(done));
    }
    std::size_t try_write(std::span<const std::string_view> pieces) noexcept override {
        if constexpr (std::is_same_v<Socket, tls_socket>) {
            return 0;
        } else {
            boost::system::error_code ec;
            const std::size_t n = socket_.write_some(to_buffers(pieces), ec);
            return ec ? 0 : n;
        }
    }
    void close() noexcept override {
        boost::system::error_code ignored;
        socket_.lowest_layer().close(ignored);
    }

private:
    Socket socket_;
};

failure make_tls_context(const tls_options& options, asio::ssl::context& context) {
    boost::system::error_code ec;
    const auto fail = [&](const std::string& what) {
        return failure::of(errc::invalid_argument, "TLS: cannot use " + what + ": " + ec.message());
    };
    if (options.ca_file.empty()) {
        context.set_default_verify_paths(ec);
    } else {
        context.load_verify_file(options.ca_file, ec);
        if (ec) return fail("the CA file " + options.ca_file);
    }
    if (!options.cert_file.empty()) {
        context.use_certificate_chain_file(options.cert_file, ec);
        if (ec) return fail("the certificate " + options.cert_file);
        const auto& key = options.key_file.empty() ? options.cert_file : options.key_file;
        context.use_private_key_file(key, asio::ssl::context::pem, ec);
        if (ec) return fail("the key " + key);
    }
    context.set_verify_mode(options.verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
    return {};
}

class attempt final : public connect_attempt, public std::enable_shared_from_this<attempt> {
public:
    attempt(io_thread& thread, const endpoint& where, handler done)
        : where_(where),
          done_(std::move(done)),
          timer_(thread.context()),
          resolver_(thread.context()),
          tcp_(thread.context()),
          local_(thread.context()) {}

    void start(ns timeout) {
        timer_.expires_after(timeout);
        timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
            if (!ec) self->give_up(errc::connection_failed, "no answer in time");
        });
        if (where_.kind == transport::unix_socket) {
            connect_local();
        } else {
            resolve();
        }
    }

    void cancel() override { give_up(errc::cancelled, "cancelled"); }

private:
    void connect_local() {
        if (where_.path.size() >= sizeof(sockaddr_un{}.sun_path)) return post_failure("the socket path is too long");
        local_.async_connect(local::endpoint(where_.path),
                             [self = shared_from_this()](const boost::system::error_code& ec) {
                                 if (ec) return self->give_up(errc::connection_failed, ec.message());
                                 self->finish(std::make_unique<socket_stream<local::socket>>(std::move(self->local_)));
                             });
    }

    void resolve() {
        resolver_.async_resolve(
            where_.host, std::to_string(where_.port),
            [self = shared_from_this()](const boost::system::error_code& ec, const tcp::resolver::results_type& found) {
                if (ec) return self->give_up(errc::connection_failed, ec.message());
                asio::async_connect(self->tcp_, found,
                                    [self](const boost::system::error_code& ec2, const tcp::endpoint&) {
                                        if (ec2) return self->give_up(errc::connection_failed, ec2.message());
                                        self->connected();
                                    });
            });
    }

    void connected() {
        if (!done_) return;
        boost::system::error_code ignored;
        tcp_.set_option(tcp::no_delay(true), ignored);
        tcp_.set_option(asio::socket_base::keep_alive(true), ignored);
        if (where_.kind == transport::tcp) return finish(std::make_unique<socket_stream<tcp::socket>>(std::move(tcp_)));
        shake_hands();
    }

    void shake_hands() {
        tls_context_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
        if (auto bad = make_tls_context(where_.tls, *tls_context_)) return finish_with(std::move(bad));
        tls_ = std::make_unique<tls_socket>(std::move(tcp_), *tls_context_);
        // What the macro SSL_set_tlsext_host_name does, without its C cast (RFC 6066, section 3).
        std::string name = where_.host;
        SSL_ctrl(tls_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
        if (where_.tls.verify) tls_->set_verify_callback(asio::ssl::host_name_verification(where_.host));
        tls_->async_handshake(tls_socket::client, [self = shared_from_this()](const boost::system::error_code& ec) {
            if (ec) return self->give_up(errc::connection_failed, "TLS handshake: " + ec.message());
            self->finish(std::make_unique<socket_stream<tls_socket>>(std::move(*self->tls_)));
        });
    }

    void give_up(errc code, const std::string& why) {
        if (!done_) return;
        finish_with(failure::of(code, "cannot connect to " + where_.display() + ": " + why));
    }

    void post_failure(const char* why) {
        asio::post(timer_.get_executor(),
                   [self = shared_from_this(), why] { self->give_up(errc::invalid_argument, why); });
    }

    void finish_with(failure f) {
        boost::system::error_code ignored;
        resolver_.cancel();
        tcp_.close(ignored);
        local_.close(ignored);
        if (tls_) tls_->lowest_layer().close(ignored);
        timer_.cancel();
        std::exchange(done_, nullptr)(std::move(f), nullptr);
    }

    void finish(std::unique_ptr<stream> connected_stream) {
        if (!done_) return;
        timer_.cancel();
        std::exchange(done_, nullptr)({}, std::move(connected_stream));
    }

    const endpoint where_;
    handler done_;
    asio::steady_timer timer_;
    tcp::resolver resolver_;
    tcp::socket tcp_;
    local::socket local_;
    std::unique_ptr<asio::ssl::context> tls_context_;
    std::unique_ptr<tls_socket> tls_;
};

}  // namespace

std::string endpoint::display() const {
    if (kind == transport::unix_socket) return "unix://" + path;
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::shared_ptr<connect_attempt> async_connect(io_thread& thread, const endpoint& where, ns timeout,
                                               connect_attempt::handler done) {
    auto started = std::make_shared<attempt>(thread, where, std::move(done));
    started->start(timeout);
    return started;
}

}  // namespace headrace::net
