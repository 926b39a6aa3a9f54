#include <gtest/gtest.h>

#include <headrace/http/request_wire.hpp>

namespace headrace::http {
namespace {

std::string packed() {
    const net::http::field fields[] = {{"Host", "h:1"}, {"X-Empty", ""}};
    const net::http::router::param params[] = {{"id", "a b"}};
    net::http::request_head head;
    head.method = "PUT";
    head.target = "/x/a%20b?q=1";
    head.path = "/x/a%20b";
    head.query = "q=1";
    head.host = "h:1";
    head.minor_version = 0;
    head.fields = fields;
    return pack(head, params, "127.0.0.1:9");
}

TEST(RequestWire, ARequestComesBackAsItWas) {
    const auto back = unpacked_request::unpack(packed(), "abc");
    ASSERT_NE(back, nullptr);
    const auto q = back->view();
    EXPECT_EQ(q.head.method, "PUT");
    EXPECT_EQ(q.head.known_method, net::http::verb::put);
    EXPECT_EQ(q.head.target, "/x/a%20b?q=1");
    EXPECT_EQ(q.head.path, "/x/a%20b");
    EXPECT_EQ(q.head.query, "q=1");
    EXPECT_EQ(q.head.host, "h:1");
    EXPECT_EQ(q.head.minor_version, 0U);
    EXPECT_TRUE(q.head.has("x-empty"));
    EXPECT_EQ(q.param("id"), "a b");
    EXPECT_EQ(q.body, "abc");
    EXPECT_EQ(back->peer(), "127.0.0.1:9");
}

TEST(RequestWire, WhatIsCutOrLongerIsNoRequest) {
    const auto whole = packed();
    for (std::size_t n = 0; n < whole.size(); ++n) {
        EXPECT_EQ(unpacked_request::unpack(whole.substr(0, n), ""), nullptr) << n;
    }
    EXPECT_EQ(unpacked_request::unpack(whole + "x", ""), nullptr);
}

}  // namespace
}  // namespace headrace::http
