// One byte stream to a peer: TCP, TCP with TLS, or a unix socket.
//
// Threads:  one I/O thread; every function and every handler there.
// Lifetime: buffers and whatever a handler refers to must live until the handler ran. After close() the handlers of
//           outstanding operations still run, with an error.
// Errors:   std::error_code of the socket, or of TLS. End of stream is boost::asio::error::eof.
#pragma once

#include <cstddef>
#include <functional>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/net/runtime.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace headrace::net {

class stream {
public:
    using handler = std::function<void(const std::error_code&, std::size_t)>;
    virtual ~stream() = default;
    /// Reads at least one byte. At most one read at a time.
    virtual void async_read_some(std::span<char> into, handler done) = 0;
    /// Writes what the kernel takes at once, in one system call; 0 when it takes nothing, on an error (the next async
    /// operation reports it), and for TLS.
    virtual std::size_t try_write(std::span<const std::string_view> pieces) noexcept = 0;
    /// Writes at least one byte of the pieces, in one system call where it can. At most one write at a time.
    virtual void async_write_some(std::span<const std::string_view> pieces, handler done) = 0;
    virtual void close() noexcept = 0;
};

enum class transport { tcp, tls, unix_socket };

struct tls_options {
    bool verify = true;     ///< check the certificate and the host name
    std::string ca_file;    ///< PEM; empty: the system's trust store
    std::string cert_file;  ///< PEM of our own certificate; empty: none
    std::string key_file;   ///< PEM of its key; empty: in cert_file
};

struct endpoint {
    transport kind = transport::tcp;
    std::string host;
    std::uint16_t port = 0;
    std::string path;  ///< of the unix socket
    tls_options tls;

    std::string display() const;
};

/// An attempt to connect. Exactly one call of `done`; cancel() makes it come soon, with errc::cancelled.
class connect_attempt {
public:
    using handler = std::function<void(failure, std::unique_ptr<stream>)>;
    virtual ~connect_attempt() = default;
    virtual void cancel() = 0;
};

/// Resolves, tries each address in turn, shakes hands; all within `timeout`. TCP_NODELAY and keep-alive are set.
std::shared_ptr<connect_attempt> async_connect(io_thread& thread, const endpoint& where, ns timeout,
                                               connect_attempt::handler done);

}  // namespace headrace::net
