// A blocking client for tests of servers: sends bytes, reads until it has seen what it waits for.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace headrace::test {

class http_client {
public:
    explicit http_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(port);
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr generic{};
        std::memcpy(&generic, &where, sizeof where);
        EXPECT_EQ(::connect(fd_, &generic, sizeof where), 0);
        const int yes = 1;  // what tests send apart shall leave apart, and at once
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        const timeval limit{20, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    ~http_client() { close(); }
    http_client(const http_client&) = delete;
    http_client& operator=(const http_client&) = delete;

    void send(std::string_view bytes) {
        EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), std::ssize(bytes));
    }
    /// `piece` again and again, until nothing was taken for a second, or `most` bytes were: how many.
    std::size_t send_until_stalled(std::string_view piece, std::size_t most) {
        const timeval a_second{1, 0}, none{0, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &a_second, sizeof a_second);
        std::size_t sent = 0;
        while (sent < most) {
            const auto n = ::send(fd_, piece.data(), std::min(piece.size(), most - sent), MSG_NOSIGNAL);
            if (n <= 0) break;
            sent += static_cast<std::size_t>(n);
        }
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
        return sent;
    }
    void get(std::string_view path) { send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n"); }
    /// Until `mark` was received, or the end of the stream; everything so far.
    std::string read_until(std::string_view mark) {
        while (got_.find(mark) == std::string::npos && more()) {
        }
        return std::exchange(got_, {});
    }
    /// Until the end of the stream.
    std::string read_all() {
        while (more()) {
        }
        return std::exchange(got_, {});
    }
    void end_sending() { ::shutdown(fd_, SHUT_WR); }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    bool more() {
        char bytes[4096];
        const auto n = ::recv(fd_, bytes, sizeof bytes, 0);
        if (n > 0) got_.append(bytes, static_cast<std::size_t>(n));
        return n > 0;
    }
    int fd_;
    std::string got_;
};

}  // namespace headrace::test
