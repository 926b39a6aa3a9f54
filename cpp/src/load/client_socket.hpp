// One non-blocking connection to a server, plain or TLS.
//
// Threads:  one owner.   Lifetime: the descriptor is closed with the object.
// Errors:   io_result::failed with an error number, or 0 for TLS; then tls_error() says what.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "resolve.hpp"

namespace headrace::load {

struct io_result {
    enum class what : std::uint8_t {
        done,    ///< `n` bytes, at least one
        again,   ///< not now
        end,     ///< the peer has ended its side
        failed,  ///< see `error`
    } outcome;
    std::size_t n = 0;
    int error = 0;
};

struct ssl_free {
    void operator()(SSL* s) const noexcept { SSL_free(s); }
    void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
};
using ssl_context = std::unique_ptr<SSL_CTX, ssl_free>;

class client_socket {
public:
    client_socket() = default;
    ~client_socket() { close(); }
    client_socket(client_socket&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)), shaken_(other.shaken_) {}
    client_socket& operator=(client_socket&&) = delete;

    /// Begins to connect, from 127.0.0.<source> when that is not 0. 0 (connected), EINPROGRESS, or what failed.
    int open(const socket_address& to, unsigned source, bool no_delay) noexcept;
    /// Why the attempt to connect failed; 0 when it has not.
    int connect_error() const noexcept;
    /// False when OpenSSL has no memory.
    bool begin_tls(SSL_CTX* context, const std::string& host, bool verify);
    io_result shake_hands() noexcept;

    io_result send(std::string_view bytes) noexcept;
    io_result receive(std::span<char> into) noexcept;
    void close() noexcept;

    int fd() const noexcept { return fd_; }
    bool is_open() const noexcept { return fd_ >= 0; }
    /// Of the last failure with error 0.
    std::string tls_error() const;

private:
    io_result tls_result(int n) noexcept;

    int fd_ = -1;
    std::unique_ptr<SSL, ssl_free> tls_;
    bool shaken_ = false;
    unsigned long tls_code_ = 0;
};

}  // namespace headrace::load
