// What will be sent where: every request of a load, written out once.
//
// Threads:  pure; read by all threads of a load.
// Errors:   failure(invalid_argument) that quotes what is wrong in a URL, method or header, and says what to do.
#pragma once

#include <headrace/load/http_options.hpp>
#include <string>
#include <vector>

namespace headrace::load {

/// A server as URLs name it.
struct http_origin {
    std::string host;  ///< a name or an address, without brackets
    std::uint16_t port = 0;
    bool tls = false;
    std::string display() const;  ///< https://host:port
};

struct http_request {
    std::string bytes;       ///< head and content
    std::size_t origin = 0;  ///< index in http_plan::origins
    bool head = false;       ///< the answer has no content (HEAD)
    bool repeatable = true;  ///< an idempotent method: may be sent again when an idle connection turns out closed
    std::string display;     ///< the URL without user and password
};

struct http_plan {
    std::vector<http_origin> origins;
    std::vector<http_request> requests;
};

failure make_plan(const http_load_options& options, http_plan& plan);

}  // namespace headrace::load
