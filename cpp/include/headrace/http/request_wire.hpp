// A request's head as bytes and back: how it travels to a worker process, and how it pickles. The content travels beside it.
//
// Lengths as 32-bit numbers of this machine, each followed by its bytes: both ends are one program on one machine.
// Threads:  plain values.
// Lifetime: views of an unpacked_request point into the object, which does not move, and to the content that it was given.
// Errors:   unpack() gives null for what pack() did not make.
#pragma once

#include <headrace/net/http_server.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::http {

std::string pack(const net::http::request_head& head, std::span<const net::http::router::param> params,
                 std::string_view peer);

class unpacked_request {
public:
    static std::unique_ptr<unpacked_request> unpack(std::string bytes, std::string_view body);
    unpacked_request(const unpacked_request&) = delete;
    unpacked_request& operator=(const unpacked_request&) = delete;

    net::http::request view() const noexcept { return {head_, body_, params_}; }
    std::string_view peer() const noexcept { return peer_; }

private:
    unpacked_request(std::string bytes, std::string_view body) : bytes_(std::move(bytes)), body_(body) {}
    bool read();

    const std::string bytes_;
    const std::string_view body_;
    net::http::request_head head_;
    std::vector<net::http::field> fields_;
    std::vector<net::http::router::param> params_;
    std::string_view peer_;
};

}  // namespace headrace::http
