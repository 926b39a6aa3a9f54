// The addresses behind a host name, in the resolver's order.
//
// Threads:  the look-up runs in a thread of its own, because nothing can cut getaddrinfo() short; when the wait ends
//           first it is left behind, with nothing in its hands but its own request.
// Errors:   failure(connection_failed) with the resolver's words; errc::cancelled.
// Stop:     `cancel`, looked at every 50 ms.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <string>
#include <vector>

namespace headrace::load {

struct socket_address {
    sockaddr_storage bytes{};
    socklen_t size = 0;

    int family() const noexcept { return bytes.ss_family; }
    /// In 127.0.0.0/8.
    bool loopback_v4() const noexcept;
    std::string display() const;  ///< 127.0.0.1:8000, [::1]:8000
};

failure resolve(const std::string& host, std::uint16_t port, ns timeout, const std::atomic<bool>& cancel,
                std::vector<socket_address>& out);

}  // namespace headrace::load
