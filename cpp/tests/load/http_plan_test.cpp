#include <gtest/gtest.h>

#include <headrace/load/http_plan.hpp>

namespace headrace::load {
namespace {

http_load_options for_url(std::string url, std::string method = "GET", std::string body = "") {
    http_load_options o;
    o.requests.push_back({std::move(url), std::move(method), std::move(body)});
    return o;
}

http_plan planned(const http_load_options& o) {
    http_plan plan;
    const auto bad = make_plan(o, plan);
    EXPECT_FALSE(bad) << bad.message;
    return plan;
}

std::string refusal(const http_load_options& o) {
    http_plan plan;
    return make_plan(o, plan).message;
}

TEST(http_plan, writes_a_request) {
    const auto plan = planned(for_url("http://a.example:8080/p%20q?x=1&y"));
    ASSERT_EQ(plan.requests.size(), 1U);
    EXPECT_EQ(plan.requests[0].bytes,
              "GET /p%20q?x=1&y HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: headrace\r\nAccept: */*\r\n\r\n");
    EXPECT_EQ(plan.origins[0].port, 8080);
    EXPECT_TRUE(plan.requests[0].repeatable);
}

TEST(http_plan, path_and_query_stay_as_written_but_for_what_may_not_be_sent) {
    EXPECT_EQ(planned(for_url("http://a")).requests[0].bytes.substr(0, 15), "GET / HTTP/1.1\r");
    EXPECT_EQ(planned(for_url("http://a?q")).requests[0].bytes.substr(0, 9), "GET /?q H");
    EXPECT_EQ(planned(for_url("http://a/\xc3\xa9 \"")).requests[0].bytes.substr(0, 19), "GET /%C3%A9%20%22 H");
}

TEST(http_plan, content_has_a_length_and_post_always_does) {
    auto bytes = planned(for_url("http://a/", "POST")).requests[0].bytes;
    EXPECT_NE(bytes.find("Content-Length: 0\r\n\r\n"), std::string::npos);
    bytes = planned(for_url("http://a/", "PUT", "abc")).requests[0].bytes;
    EXPECT_NE(bytes.find("Content-Length: 3\r\n\r\nabc"), std::string::npos);
    EXPECT_FALSE(planned(for_url("http://a/", "POST")).requests[0].repeatable);
    EXPECT_TRUE(planned(for_url("http://a/", "HEAD")).requests[0].head);
}

TEST(http_plan, own_headers_replace_ours) {
    auto o = for_url("http://a/");
    o.headers = {{"user-agent", "me"}, {"X-Y", "z"}};
    o.keep_alive = false;
    EXPECT_EQ(planned(o).requests[0].bytes,
              "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nuser-agent: me\r\nX-Y: z\r\nConnection: close\r\n\r\n");
}

TEST(http_plan, user_and_password_become_a_header_and_are_not_shown) {
    const auto plan = planned(for_url("http://Aladdin:open%20sesame@a/x"));
    EXPECT_NE(plan.requests[0].bytes.find("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), std::string::npos);
    EXPECT_EQ(plan.requests[0].display, "http://a/x");
}

TEST(http_plan, servers_are_listed_once) {
    auto o = for_url("http://a/1");
    o.requests.push_back({"http://a:80/2"});
    o.requests.push_back({"https://a/3"});
    o.requests.push_back({"http://[::1]:81/4"});
    const auto plan = planned(o);
    ASSERT_EQ(plan.origins.size(), 3U);
    EXPECT_EQ(plan.requests[1].origin, 0U);
    EXPECT_EQ(plan.origins[1].port, 443);
    EXPECT_NE(plan.requests[3].bytes.find("Host: [::1]:81\r\n"), std::string::npos);
    EXPECT_EQ(plan.origins[2].display(), "http://[::1]:81");
}

TEST(http_plan, says_what_is_wrong) {
    EXPECT_NE(refusal(for_url("ftp://a/")).find("not http://"), std::string::npos);
    EXPECT_NE(refusal(for_url("http:///x")).find("names no host"), std::string::npos);
    EXPECT_NE(refusal(for_url("http://a%0d%0aX/")).find("bad host"), std::string::npos);
    EXPECT_NE(refusal(for_url("nonsense")).find("scheme"), std::string::npos);
    EXPECT_NE(refusal(for_url("http://a/", "G T")).find("bad method"), std::string::npos);
    EXPECT_NE(refusal(for_url("http://a/", "CONNECT")).find("bad method"), std::string::npos);
    auto o = for_url("http://a/");
    o.headers = {{"X", "a\r\nY: b"}};
    EXPECT_NE(refusal(o).find("control character"), std::string::npos);
    o.headers = {{"content-length", "5"}};
    EXPECT_NE(refusal(o).find("written by the generator"), std::string::npos);
    o.headers = {{"a b", "5"}};
    EXPECT_NE(refusal(o).find("not a header name"), std::string::npos);
}

}  // namespace
}  // namespace headrace::load
