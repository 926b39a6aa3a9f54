#include "http_transport.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cerrno>

namespace headrace::net::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using tls_stream = asio::ssl::stream<tcp::socket>;

// A buffer sequence of fixed capacity: what async operations copy into their state.
struct buffers {
    explicit buffers(std::span<const std::string_view> pieces) noexcept {
        for (const auto& p : pieces.first(std::min(pieces.size(), list.size()))) list[count++] = {p.data(), p.size()};
    }
    const asio::const_buffer* begin() const noexcept { return list.data(); }
    const asio::const_buffer* end() const noexcept { return list.data() + count; }
    std::array<asio::const_buffer, transport::max_pieces> list;
    std::size_t count = 0;
};

bool has_input(tcp::socket::native_handle_type fd) noexcept {
    char one;
    return ::recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

peer_address address_of(const tcp::socket::lowest_layer_type& socket) {
    error_code ec;
    const auto where = socket.remote_endpoint(ec);
    if (ec) return {};
    return {where.address().to_string(), where.port()};
}

}  // namespace

class tcp_transport final : public transport {
public:
    explicit tcp_transport(tcp::socket socket) : socket_(std::move(socket)) {}

    void async_handshake(listener l) override { l->on_handshake({}); }
    void async_read(std::span<char> into, listener l) override {
        socket_.async_read_some(asio::buffer(into.data(), into.size()),
                                [l = std::move(l)](const error_code& ec, std::size_t n) { l->on_read(ec, n); });
    }
    std::size_t try_read(std::span<char> into) noexcept override {
        const auto n = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    // Not write_some(): for a socket that Asio made non-blocking itself, that waits.
    std::size_t try_write(std::span<const std::string_view> pieces) noexcept override {
        const int fd = socket_.native_handle();
        if (pieces.size() == 1) {  // the usual answer; the kernel has no list to copy and check
            const auto n = ::send(fd, pieces[0].data(), pieces[0].size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            return n > 0 ? static_cast<std::size_t>(n) : 0;
        }
        std::array<iovec, max_pieces> parts;
        msghdr message{};
        message.msg_iov = parts.data();
        for (const auto& p : pieces.first(std::min(pieces.size(), parts.size()))) {
            parts[message.msg_iovlen++] = {const_cast<char*>(p.data()), p.size()};
        }
        const auto n = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    void async_write(std::span<const std::string_view> pieces, listener l) override {
        socket_.async_write_some(buffers(pieces),
                                 [l = std::move(l)](const error_code& ec, std::size_t n) { l->on_written(ec, n); });
    }
    void end_sending(listener) override {
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }
    bool lingers() const noexcept override { return false; }
    void close() noexcept override {
        error_code ignored;
        socket_.close(ignored);
    }
    // native_handle() is not const, and changes nothing.
    bool readable() const noexcept override { return has_input(const_cast<tcp::socket&>(socket_).native_handle()); }
    peer_address peer() const override { return address_of(socket_.lowest_layer()); }

private:
    tcp::socket socket_;
};

class tls_transport final : public transport {
public:
    tls_transport(tcp::socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}

    void async_handshake(listener l) override {
        stream_.async_handshake(tls_stream::server, [l = std::move(l)](const error_code& ec) { l->on_handshake(ec); });
    }
    void async_read(std::span<char> into, listener l) override {
        stream_.async_read_some(asio::buffer(into.data(), into.size()),
                                [l = std::move(l)](error_code ec, std::size_t n) {
                                    if (ec == asio::ssl::error::stream_truncated) ec = asio::error::eof;
                                    l->on_read(ec, n);
                                });
    }
    std::size_t try_read(std::span<char>) noexcept override { return 0; }
    std::size_t try_write(std::span<const std::string_view>) noexcept override { return 0; }
    void async_write(std::span<const std::string_view> pieces, listener l) override {
        stream_.async_write_some(buffers(pieces),
                                 [l = std::move(l)](const error_code& ec, std::size_t n) { l->on_written(ec, n); });
    }
    // Sends close_notify (RFC 8446, section 6.1). Whether the peer's came does not matter: the next read ends anyway.
    void end_sending(listener l) override {
        stream_.async_shutdown([l = std::move(l)](const error_code&) {});
    }
    bool lingers() const noexcept override { return true; }
    void close() noexcept override {
        error_code ignored;
        stream_.lowest_layer().close(ignored);
    }
    bool readable() const noexcept override {
        return has_input(const_cast<tls_stream&>(stream_).lowest_layer().native_handle());
    }
    peer_address peer() const override { return address_of(stream_.lowest_layer()); }

private:
    tls_stream stream_;
};

std::unique_ptr<transport> make_tcp_transport(tcp::socket socket) {
    return std::make_unique<tcp_transport>(std::move(socket));
}
std::unique_ptr<transport> make_tls_transport(tcp::socket socket, asio::ssl::context& context) {
    return std::make_unique<tls_transport>(std::move(socket), context);
}

}  // namespace headrace::net::http
