#include <gtest/gtest.h>

#include <headrace/net/http_owned_request.hpp>
#include <memory>
#include <string>

namespace headrace::net::http {
namespace {

std::unique_ptr<owned_request> copy_of(const std::string& bytes, std::string_view body,
                                       std::vector<router::param> params = {}) {
    parse_limits limits;
    request_parser parser(limits);
    std::vector<field> fields;
    request_head head;
    EXPECT_EQ(parser.next(bytes, fields, head).what, parse_event::head);
    return std::make_unique<owned_request>(request{head, body, params});
}

TEST(OwnedRequest, OutlivesTheBytesItWasReadFrom) {
    auto bytes = std::make_unique<std::string>(
        "POST /a%20b?x=1 HTTP/1.1\r\nHost: here:80\r\nX-Empty:\r\nContent-Length: 3\r\nX-Last: end\r\n\r\nabc");
    const auto kept = copy_of(*bytes, "abc", {{"id", "7"}});
    std::fill(bytes->begin(), bytes->end(), '#');
    bytes.reset();
    const auto& head = kept->head();
    EXPECT_EQ(head.method, "POST");
    EXPECT_EQ(head.target, "/a%20b?x=1");
    EXPECT_EQ(head.path, "/a%20b");
    EXPECT_EQ(head.query, "x=1");
    EXPECT_EQ(head.host, "here:80");
    ASSERT_EQ(head.fields.size(), 4U);
    EXPECT_EQ(head.get("x-last"), "end");
    EXPECT_TRUE(head.has("x-empty"));
    EXPECT_EQ(kept->body(), "abc");
    EXPECT_EQ(kept->view().param("id"), "7");
    EXPECT_EQ(kept->take_body(), "abc");
    EXPECT_EQ(kept->body(), "");
}

TEST(OwnedRequest, KeepsAHeadWhoseLastFieldIsEmpty) {
    const auto kept = copy_of("GET / HTTP/1.1\r\nHost: h\r\nX-Empty:\r\n\r\n", "");
    EXPECT_EQ(kept->head().fields.back().name, "X-Empty");
    EXPECT_EQ(kept->head().fields.back().value, "");
}

}  // namespace
}  // namespace headrace::net::http
