// The socket under a server's connection: plain TCP or TLS, without an allocation per operation beyond Asio's own.
// Threads:  the I/O thread.
// Lifetime: `events` is held until the operation's event came; buffers must stay as long.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <headrace/net/http_server.hpp>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

namespace headrace::net::http {

class transport {
public:
    class events {
    public:
        virtual ~events() = default;
        virtual void on_handshake(const std::error_code& ec) = 0;
        virtual void on_read(const std::error_code& ec, std::size_t n) = 0;
        virtual void on_written(const std::error_code& ec, std::size_t n) = 0;
    };
    using listener = std::shared_ptr<events>;
    static constexpr std::size_t max_pieces = 16;

    virtual ~transport() = default;
    /// For plain TCP the event comes at once, from within.
    virtual void async_handshake(listener l) = 0;
    virtual void async_read(std::span<char> into, listener l) = 0;
    // Handlers of asynchronous operations get std::error_code; end of stream is boost::asio::error::eof, for TLS too when
    // the peer left out close_notify.
    /// What is there without waiting; 0 for nothing, end of stream, errors, and TLS.
    virtual std::size_t try_read(std::span<char> into) noexcept = 0;
    /// What the kernel takes without waiting; 0 on errors, which the next asynchronous write reports, and for TLS.
    virtual std::size_t try_write(std::span<const std::string_view> pieces) noexcept = 0;
    virtual void async_write(std::span<const std::string_view> pieces, listener l) = 0;
    /// No more will be sent; what was sent still arrives.
    virtual void end_sending(listener l) = 0;
    /// Whether end_sending() takes time, so that close() must wait for the peer.
    virtual bool lingers() const noexcept = 0;
    virtual void close() noexcept = 0;
    /// Whether bytes have arrived that were not read yet.
    virtual bool readable() const noexcept = 0;
    virtual peer_address peer() const = 0;
};

std::unique_ptr<transport> make_tcp_transport(boost::asio::ip::tcp::socket socket);
std::unique_ptr<transport> make_tls_transport(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& context);

}  // namespace headrace::net::http
