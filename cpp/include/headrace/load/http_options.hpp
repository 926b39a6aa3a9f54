// Settings of an HTTP load.
// Threads:  plain values and pure functions.   Errors: check_options() says which setting is outside its range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/measure/pacer.hpp>
#include <headrace/net/stream.hpp>
#include <string>
#include <utility>
#include <vector>

namespace headrace::load {

/// One line of a list of URLs.
struct http_request_options {
    std::string url;  ///< http:// or https://
    std::string method = "GET";
    std::string body;
};

/// Statuses from `first` to `last`, both included.
struct status_range {
    unsigned first = 0;
    unsigned last = 0;
};

struct http_load_options {
    std::vector<http_request_options> requests;                ///< sent in turn; none is refused
    std::vector<std::pair<std::string, std::string>> headers;  ///< of every request
    std::size_t threads = 1;  ///< each with its share of users, rate and count; 0 is refused

    /// Closed loop: users who send their next request when the last one was answered.
    /// Open loop: connections that may be open at once; requests that find none free wait, and their time runs.
    std::size_t users = 25;
    double rate = 0.0;  ///< requests per second on a schedule (open loop); 0: closed loop
    measure::arrivals arrivals = measure::arrivals::constant;
    std::uint64_t seed = 0;  ///< of Poisson arrivals, think times and random order

    ns duration{0};                         ///< measured time; 0: until `count` or stop()
    std::uint64_t count = 0;                ///< requests to send in all; 0: no limit
    ns warm_up{0};                          ///< load that is not measured, before `duration` begins
    ns ramp{0};                             ///< users or rate grow linearly from none over this time, from the start on
    ns think_least{0}, think_most{0};       ///< closed loop: a user's pause, uniform between the two
    ns timeout = std::chrono::seconds{30};  ///< of one request, connecting included. 0 is refused
    ns drain = std::chrono::seconds{10};    ///< at the end, for what is in flight
    bool keep_alive = true;                 ///< false: a new connection for every request
    bool random_order = false;              ///< of `requests`

    std::vector<status_range> expect_status;  ///< empty: below 400
    std::string expect_body;                  ///< what a good answer contains in its first MiB; empty: anything
    net::tls_options tls;                     ///< verify, ca_file, cert_file, key_file; for https

    int csv_fd = -1;      ///< where a row per request goes; -1: nowhere
    clock_anchor anchor;  ///< for the times in it; all zero: taken when opened
};

failure check_options(const http_load_options& o);

}  // namespace headrace::load
