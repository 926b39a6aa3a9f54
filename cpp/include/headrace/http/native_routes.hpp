// Routes whose work is C++: what benchmarks, conformance tests and health checks need, and what shows how handlers are
// written. Each is made by name:
//
//   hello      "Hello, World!"
//   echo       the content of the request, with its Content-Type
//   json       the content parsed as JSON and printed again; 400 when it is not JSON
//   count      {"bytes": N}, the size of the content
//   later      "later", from another thread, after the path parameter {ms} milliseconds
//   stream     the path parameter {bytes} bytes, streamed as fast as the client reads
//   websocket  a WebSocket that sends back what it receives
//   metrics    the server's counters for Prometheus
//
// Threads:  make() from any; handlers as in net/http_server.hpp.
// Lifetime: `metrics` holds the server weakly; `later` holds its own thread until the last of its handlers goes.
// Errors:   invalid_argument for an unknown name, naming those that there are.
#pragma once

#include <headrace/net/http_server.hpp>
#include <memory>
#include <string_view>

namespace headrace::http {

failure add_native_route(const std::shared_ptr<net::http::server>& server, std::string_view method,
                         std::string_view pattern, std::string_view name);

}  // namespace headrace::http
