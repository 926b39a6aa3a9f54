// What the threads of one load share.
// Threads:  constant while they run, but for the atomics and `fail`, which any of them may use.
#pragma once

#include <atomic>
#include <functional>
#include <headrace/load/http_plan.hpp>
#include <headrace/measure/chunk_writer.hpp>
#include <vector>

#include "client_socket.hpp"

namespace headrace::load {

struct http_shared {
    const http_load_options& options;
    const http_plan& plan;
    std::vector<std::vector<socket_address>> addresses;  ///< of each origin
    ssl_context tls;
    measure::chunk_writer* rows = nullptr;
    clock_anchor anchor;
    ns start{0};
    std::atomic<std::int64_t> stop_at{ns::max().count()};  ///< nothing is begun after it, and nothing awaited
    std::atomic<bool> wants_latencies{false};              ///< somebody looks at progress
    std::function<void(failure)> fail;
};

}  // namespace headrace::load
