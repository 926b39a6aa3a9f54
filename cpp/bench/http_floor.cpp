// The floor under an HTTP server: epoll, recv, look for the end of the head, send a fixed answer. It checks nothing,
// writes no Date and knows one path, so no server that does its duty can be faster; how near one comes is the figure.
//
//   http_floor PORT        one thread, until it is killed. script/bench_http compares it with headrace.http.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!";

int listen_on(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<std::uint16_t>(port));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic{};
    std::memcpy(&generic, &where, sizeof where);
    if (::bind(fd, &generic, sizeof where) != 0 || ::listen(fd, 1024) != 0) {
        std::perror("http_floor");
        std::exit(1);
    }
    return fd;
}

void watch(int epoll, int fd) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

// As many answers as there are ends of heads. A head that is cut by the read is not put together again.
void serve(int fd, std::array<char, 65536>& in, std::string& out) {
    const auto n = ::recv(fd, in.data(), in.size(), 0);
    if (n <= 0) {
        ::close(fd);
        return;
    }
    const std::string_view bytes(in.data(), static_cast<std::size_t>(n));
    out.clear();
    for (auto at = bytes.find("\r\n\r\n"); at != std::string_view::npos; at = bytes.find("\r\n\r\n", at + 4))
        out += answer;
    if (::send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0) ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: http_floor PORT\n", stderr);
        return 2;
    }
    const int listener = listen_on(std::atoi(argv[1]));
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    static std::array<char, 65536> in;
    std::string out;
    std::array<epoll_event, 256> events;
    for (;;) {
        const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < n; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd != listener) {
                serve(fd, in, out);
                continue;
            }
            const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (accepted >= 0) watch(epoll, accepted);
        }
    }
}
