// The TLS settings that all connections of a load share.
// Threads:  make it before the threads start; connections of several threads may then use it.
// Errors:   failure(invalid_argument) that names the file and OpenSSL's reason.
#pragma once

#include <headrace/net/stream.hpp>

#include "client_socket.hpp"

namespace headrace::load {

/// TLS 1.2 and newer, offering HTTP/1.1 alone.
failure make_client_tls(const net::tls_options& options, ssl_context& out);

}  // namespace headrace::load
