// A request that outlives its handler: one copy of its head's bytes, of its content, and of its path parameters.
//
// For whoever defers an answer and still wants to read the request, in another thread or later.
// Threads:  a plain value; read by one thread at a time.
// Lifetime: views that head() and params() give point into the object; it does not move.
#pragma once

#include <headrace/net/http_server.hpp>
#include <string>
#include <vector>

namespace headrace::net::http {

class owned_request {
public:
    explicit owned_request(const request& q);
    owned_request(const owned_request&) = delete;
    owned_request& operator=(const owned_request&) = delete;

    const request_head& head() const noexcept { return head_; }
    std::string_view body() const noexcept { return body_; }
    std::span<const router::param> params() const noexcept { return params_; }
    /// The same as handlers see it.
    request view() const noexcept { return {head_, body_, params_}; }
    /// Gives the content away; body() is empty then.
    std::string take_body() noexcept { return std::exchange(body_, {}); }

private:
    std::string bytes_;
    std::vector<field> fields_;
    request_head head_;
    std::string body_;
    std::vector<router::param> params_;
};

}  // namespace headrace::net::http
