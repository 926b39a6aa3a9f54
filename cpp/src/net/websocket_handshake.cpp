#include <openssl/evp.h>

#include <array>
#include <headrace/net/websocket_handshake.hpp>

namespace headrace::net::websocket {
namespace {

// Base64 of 16 bytes: 22 characters and "==" (RFC 6455, section 4.1).
bool is_key(std::string_view text) noexcept {
    if (text.size() != 24 || !text.ends_with("==")) return false;
    for (const char c : text.substr(0, 22)) {
        const bool good =
            (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (!good) return false;
    }
    return true;
}

std::size_t count(const http::request_head& head, std::string_view name) noexcept {
    std::size_t n = 0;
    for (const auto& f : head.fields) n += http::equal_ignoring_case(f.name, name) ? 1 : 0;
    return n;
}

}  // namespace

bool wants_websocket(const http::request_head& head) noexcept {
    return head.wants_upgrade && http::list_contains(head.get("upgrade"), "websocket");
}

refusal check_handshake(const http::request_head& head) noexcept {
    if (head.known_method != http::verb::get) return {400, "a WebSocket handshake is a GET"};
    if (!wants_websocket(head)) return {426, "this is a WebSocket; ask for it with Upgrade: websocket"};
    if (head.has_content()) return {400, "a WebSocket handshake has no content"};
    if (count(head, "sec-websocket-version") != 1 || head.get("sec-websocket-version") != "13") {
        return {426, "WebSocket version 13 only"};
    }
    if (count(head, "sec-websocket-key") != 1 || !is_key(head.get("sec-websocket-key"))) {
        return {400, "Sec-WebSocket-Key is not the base64 of 16 bytes"};
    }
    return {};
}

std::string_view choose_protocol(const http::request_head& head, std::span<const std::string> spoken) noexcept {
    for (const auto& ours : spoken) {
        for (const auto& f : head.fields) {
            if (!http::equal_ignoring_case(f.name, "sec-websocket-protocol")) continue;
            if (http::list_contains(f.value, ours)) return ours;
        }
    }
    return {};
}

std::string accept_value(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded;
    const int n = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
    return {encoded.begin(), encoded.begin() + n};
}

void append_accept(std::string& out, const http::request_head& head, std::string_view protocol,
                   std::span<const std::pair<std::string, std::string>> fields) {
    out.append(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    out.append(accept_value(head.get("sec-websocket-key"))).append("\r\n");
    if (!protocol.empty()) out.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
    for (const auto& [name, value] : fields) out.append(name).append(": ").append(value).append("\r\n");
    out.append("\r\n");
}

}  // namespace headrace::net::websocket
