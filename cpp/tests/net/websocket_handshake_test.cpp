#include <gtest/gtest.h>

#include <headrace/net/http_request_parser.hpp>
#include <headrace/net/websocket_handshake.hpp>

namespace headrace::net::websocket {
namespace {

struct request {
    explicit request(std::string lines, std::string start = "GET /ws")
        : bytes(start + " HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n") {
        http::request_parser parser(limits);
        EXPECT_EQ(parser.next(bytes, fields, head).what, http::request_parser::event::head);
    }
    http::parse_limits limits;
    std::string bytes;
    std::vector<http::field> fields;
    http::request_head head;
};

const std::string upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string version = "Sec-WebSocket-Version: 13\r\n";

unsigned status(const std::string& lines, std::string start = "GET /ws") {
    return check_handshake(request(lines, std::move(start)).head).status;
}

TEST(websocket_handshake, accepts_the_example_of_rfc_6455) {
    const request r(upgrade + key + version);
    EXPECT_TRUE(wants_websocket(r.head));
    EXPECT_FALSE(check_handshake(r.head));
    std::string out;
    append_accept(out, r.head, "chat");
    EXPECT_EQ(out,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
}

TEST(websocket_handshake, refuses_what_the_rfc_does) {
    EXPECT_EQ(status(key + version), 426U);
    EXPECT_EQ(status("Upgrade: websocket\r\n" + key + version), 426U);
    EXPECT_EQ(status(upgrade + key), 426U);
    EXPECT_EQ(status(upgrade + key + "Sec-WebSocket-Version: 8\r\n"), 426U);
    EXPECT_EQ(status(upgrade + version), 400U);
    EXPECT_EQ(status(upgrade + key + key + version), 400U);
    EXPECT_EQ(status(upgrade + "Sec-WebSocket-Key: short\r\n" + version), 400U);
    EXPECT_EQ(status(upgrade + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==\r\n" + version), 400U);
    EXPECT_EQ(status(upgrade + key + version, "POST /ws"), 400U);
    EXPECT_EQ(status(upgrade + key + version + "Content-Length: 1\r\n"), 400U);
}

TEST(websocket_handshake, chooses_the_servers_first_protocol_that_the_client_offers) {
    const std::vector<std::string> spoken{"v2", "v1"};
    const auto chosen = [&](const std::string& lines) {
        return std::string(choose_protocol(request(upgrade + lines).head, spoken));
    };
    EXPECT_EQ(chosen("Sec-WebSocket-Protocol: v1, v2\r\n"), "v2");
    EXPECT_EQ(chosen("Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: v1\r\n"), "v1");
    EXPECT_EQ(chosen("Sec-WebSocket-Protocol:\r\n"), "");
    EXPECT_EQ(chosen(""), "");
}

}  // namespace
}  // namespace headrace::net::websocket
