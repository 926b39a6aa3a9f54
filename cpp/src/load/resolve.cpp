#include "resolve.hpp"

#include <arpa/inet.h>
#include <netdb.h>

#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <thread>

#include <headrace/base/thread_setup.hpp>

namespace headrace::load {
namespace {

struct answer {
    int error = 0;
    std::vector<socket_address> found;
};

answer look_up(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    answer out;
    out.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(out.error == 0 ? list : nullptr, &::freeaddrinfo);
    for (const auto* a = owned.get(); a != nullptr; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
        socket_address one;
        std::memcpy(&one.bytes, a->ai_addr, a->ai_addrlen);
        one.size = a->ai_addrlen;
        out.found.push_back(one);
    }
    return out;
}

}  // namespace

bool socket_address::loopback_v4() const noexcept {
    sockaddr_in v4{};
    std::memcpy(&v4, &bytes, sizeof v4);
    return family() == AF_INET && (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
}

std::string socket_address::display() const {
    char text[NI_MAXHOST] = {};
    char port[NI_MAXSERV] = {};
    const auto* where = static_cast<const void*>(&bytes);
    ::getnameinfo(static_cast<const sockaddr*>(where), size, text, sizeof text, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV);
    return (family() == AF_INET6 ? "[" + std::string(text) + "]" : text) + ":" + port;
}

failure resolve(const std::string& host, std::uint16_t port, ns timeout, const std::atomic<bool>& cancel,
                std::vector<socket_address>& out) {
    auto promise = std::make_shared<std::promise<answer>>();
    auto result = promise->get_future();
    std::thread([promise, host, port] {
        set_up_thread("headrace-dns");
        promise->set_value(look_up(host, port));
    }).detach();
    const auto deadline = monotonic_now() + timeout;
    while (result.wait_for(std::chrono::milliseconds{50}) != std::future_status::ready) {
        if (cancel.load()) return failure::of(errc::cancelled, "cancelled while looking up " + host);
        if (monotonic_now() > deadline) {
            return failure::of(errc::connection_failed, "cannot look up host '" + host + "': no answer in time");
        }
    }
    auto got = result.get();
    if (got.error != 0 || got.found.empty()) {
        const char* why = got.error != 0 ? ::gai_strerror(got.error) : "it has no IPv4 or IPv6 address";
        return failure::of(errc::connection_failed, "cannot look up host '" + host + "': " + why);
    }
    out = std::move(got.found);
    return {};
}

}  // namespace headrace::load
