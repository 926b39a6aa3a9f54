// A Python handler that runs in the I/O thread: no hand-over, nothing waits, and nothing else of that thread moves while
// it runs. One at a time per I/O thread; a deadline cannot stop it, but answers 504 in place of what comes late.
// Threads:  handle() on I/O threads; it takes the GIL, by the choice of whoever made the route inline.
// Errors:   as python_route.
#pragma once

#include <array>
#include <headrace/http/route_queue.hpp>
#include <headrace/net/http_server.hpp>
#include <memory>
#include <string>

#include "held_object.hpp"

namespace headrace::bindings {

class inline_route : public std::enable_shared_from_this<inline_route> {
public:
    inline_route(std::string name, ns deadline, held_object handler)
        : name_(std::move(name)), deadline_(deadline), handler_(std::move(handler)) {}

    void handle(const net::http::request& q, net::http::responder& r);
    http::route_counters stats() const;

private:
    enum counted : std::uint8_t { requests, replied, finished, failed, timed_out, counted_all };
    void add(counted what) noexcept { counters_[what].fetch_add(1, std::memory_order_relaxed); }
    void answer_with(PyObject* result, net::http::responder& r, bool late);
    void answer_rare(PyObject* result, net::http::responder& r);
    void answer_error(net::http::responder& r);

    const std::string name_;
    const ns deadline_;
    const held_object handler_;
    std::array<std::atomic<std::uint64_t>, counted_all> counters_{};
};

}  // namespace headrace::bindings
