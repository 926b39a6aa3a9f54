// The opening handshake (RFC 6455, section 4): from an HTTP request to the answer that switches protocols.
// Threads:  pure functions.
// Errors:   a status of 4xx with a sentence; 426 tells the client which version we speak.
#pragma once

#include <headrace/net/http_message.hpp>
#include <headrace/net/http_response_writer.hpp>
#include <span>
#include <string>
#include <string_view>

namespace headrace::net::websocket {

/// Whether the request asks for a WebSocket at all (Upgrade: websocket); whether it asks well is check_handshake()'s.
bool wants_websocket(const http::request_head& head) noexcept;

/// The refusal of a handshake that RFC 6455 section 4.2.1 does not allow; status 0 when it is good.
struct refusal {
    unsigned status = 0;
    std::string_view text;
    explicit operator bool() const noexcept { return status != 0; }
};
refusal check_handshake(const http::request_head& head) noexcept;

/// The first of `spoken` that the client offers; empty when it offers none of them. An empty Sec-WebSocket-Protocol, which
/// some clients send, offers nothing.
std::string_view choose_protocol(const http::request_head& head, std::span<const std::string> spoken) noexcept;

/// Base64(SHA-1(key + GUID)).
std::string accept_value(std::string_view key);

/// The 101 response, up to and with its empty line. `protocol` may be empty.
void append_accept(std::string& out, const http::request_head& head, std::string_view protocol,
                   std::span<const std::pair<std::string, std::string>> fields = {});

}  // namespace headrace::net::websocket
