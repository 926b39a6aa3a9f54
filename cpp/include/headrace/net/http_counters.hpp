// What a server has done, counted by its I/O threads and read by anybody.
// Threads:  one writer, any reader; a snapshot is not one moment.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace headrace::net::http {

/// Written by one thread only: no locked instruction.
class counter {
public:
    void add(std::uint64_t n = 1) noexcept { value_.store(get() + n, std::memory_order_relaxed); }
    void sub(std::uint64_t n = 1) noexcept { value_.store(get() - n, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

struct server_stats {
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_open = 0;
    std::uint64_t connections_refused = 0;  ///< over the limit, answered 503
    std::uint64_t connections_dropped = 0;  ///< ended by us: too slow, or gone with an answer owed
    std::uint64_t websockets_open = 0;
    std::uint64_t requests = 0;      ///< whose head was complete
    std::uint64_t bad_requests = 0;  ///< refused by the parser
    std::uint64_t cancelled = 0;     ///< the client left before the answer
    std::uint64_t timeouts = 0;      ///< of header, body, idle or write
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t writes = 0;                  ///< system calls that wrote; responses / writes says how they merge
    std::uint64_t log_lines_dropped = 0;       ///< of the access log
    std::array<std::uint64_t, 6> responses{};  ///< [2]: 2xx, and so on
};

/// The same in the text format of Prometheus (version 0.0.4).
std::string prometheus_text(const server_stats& s);

}  // namespace headrace::net::http
