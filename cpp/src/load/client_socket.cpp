#include "client_socket.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace headrace::load {
namespace {

using what = io_result::what;

const sockaddr* generic(const void* address) noexcept {
    return static_cast<const sockaddr*>(address);
}

io_result failed_with(int error) noexcept {
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) return {what::again};
    return {what::failed, 0, error};
}

// The port is chosen by connect(), which then knows the whole pair and may share it (IP_BIND_ADDRESS_NO_PORT).
int bind_to_source(int fd, unsigned source) noexcept {
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + source);
    return ::bind(fd, generic(&from), sizeof from) == 0 ? 0 : errno;
}

bool is_address(const std::string& host) noexcept {
    in6_addr ignored{};
    return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace

int client_socket::open(const socket_address& to, unsigned source, bool no_delay) noexcept {
    close();
    fd_ = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return errno;
    if (source != 0) {
        if (const int error = bind_to_source(fd_, source); error != 0) return error;
    }
    const int yes = 1;
    if (no_delay) ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return ::connect(fd_, generic(&to.bytes), to.size) == 0 ? 0 : errno;
}

int client_socket::connect_error() const noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool client_socket::begin_tls(SSL_CTX* context, const std::string& host, bool verify) {
    tls_.reset(SSL_new(context));
    shaken_ = false;
    if (!tls_ || SSL_set_fd(tls_.get(), fd_) != 1) return false;
    SSL_set_connect_state(tls_.get());
    const bool address = is_address(host);
    if (!address) {  // what the macro SSL_set_tlsext_host_name does, without its C cast (RFC 6066, section 3)
        std::string name = host;
        SSL_ctrl(tls_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }
    if (verify) {
        auto* const param = SSL_get0_param(tls_.get());
        if (address) {
            X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str());
        } else {
            X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size());
        }
    }
    return true;
}

io_result client_socket::tls_result(int n) noexcept {
    if (n > 0) return {what::done, static_cast<std::size_t>(n)};
    const int saved = errno;
    switch (SSL_get_error(tls_.get(), n)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return {what::again};
        case SSL_ERROR_ZERO_RETURN: return {what::end};
        case SSL_ERROR_SYSCALL:
            if (saved == 0) return {what::end};
            return failed_with(saved);
        default: break;
    }
    tls_code_ = ERR_get_error();
    ERR_clear_error();
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
    if (shaken_ && ERR_GET_REASON(tls_code_) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return {what::end};
#endif
    return {what::failed};
}

io_result client_socket::shake_hands() noexcept {
    ERR_clear_error();
    errno = 0;
    const int n = SSL_do_handshake(tls_.get());
    shaken_ = n == 1;
    return tls_result(n);
}

io_result client_socket::send(std::string_view bytes) noexcept {
    if (tls_) {
        ERR_clear_error();
        errno = 0;
        return tls_result(
            SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30))));
    }
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return n >= 0 ? io_result{what::done, static_cast<std::size_t>(n)} : failed_with(errno);
}

io_result client_socket::receive(std::span<char> into) noexcept {
    if (tls_) {
        ERR_clear_error();
        errno = 0;
        return tls_result(SSL_read(tls_.get(), into.data(), static_cast<int>(into.size())));
    }
    const auto n = ::recv(fd_, into.data(), into.size(), 0);
    if (n < 0) return failed_with(errno);
    return n == 0 ? io_result{what::end} : io_result{what::done, static_cast<std::size_t>(n)};
}

void client_socket::close() noexcept {
    if (fd_ < 0) return;
    if (tls_ && shaken_) {
        ERR_clear_error();
        SSL_shutdown(tls_.get());
        ERR_clear_error();
    }
    tls_.reset();
    shaken_ = false;
    ::close(std::exchange(fd_, -1));
}

std::string client_socket::tls_error() const {
    if (tls_) {
        const long verified = SSL_get_verify_result(tls_.get());
        if (verified != X509_V_OK) return std::string("certificate: ") + X509_verify_cert_error_string(verified);
    }
    const char* why = ERR_reason_error_string(tls_code_);
    return why != nullptr ? why : "the connection ended";
}

}  // namespace headrace::load
