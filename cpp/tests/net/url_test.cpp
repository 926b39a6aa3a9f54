#include <gtest/gtest.h>

#include <headrace/net/url.hpp>

namespace headrace::net {
namespace {

url parsed(std::string_view text) {
    url out;
    const auto bad = parse_url(text, out);
    EXPECT_FALSE(bad) << bad.message;
    return out;
}

std::string refusal(std::string_view text) {
    url out;
    const auto bad = parse_url(text, out);
    EXPECT_EQ(bad.code, errc::invalid_argument) << text;
    return bad.message;
}

TEST(url, a_scheme_is_a_word) {
    for (const auto text : {"://x", "1redis://x", "re dis://x", "re\tdis://x", ":redis://x"}) {
        EXPECT_NE(refusal(text).find("no scheme"), std::string::npos) << text;
    }
    EXPECT_EQ(parsed("a+b-c.d1://x").scheme, "a+b-c.d1");
}

TEST(url, reads_every_part) {
    const auto u = parsed("Redis://me:p%40ss@example.org:6380/2?db=3&client_name=a%20b");
    EXPECT_EQ(u.scheme, "redis");
    EXPECT_EQ(u.user, "me");
    EXPECT_EQ(u.password, "p@ss");
    EXPECT_EQ(u.host, "example.org");
    EXPECT_EQ(u.port, 6380);
    EXPECT_EQ(u.path, "/2");
    EXPECT_EQ(u.query.at("client_name"), "a b");
}

TEST(url, reads_what_is_short) {
    EXPECT_EQ(parsed("redis://localhost").port, 0);
    EXPECT_EQ(parsed("unix:///run/redis.sock").path, "/run/redis.sock");
    EXPECT_EQ(parsed("inproc://x").host, "x");
    EXPECT_EQ(parsed("redis://:secret@h").password, "secret");
}

TEST(url, reads_ipv6_literals) {
    const auto u = parsed("redis://[::1]:7000");
    EXPECT_EQ(u.host, "::1");
    EXPECT_EQ(u.port, 7000);
    EXPECT_EQ(u.display(), "redis://[::1]:7000");
}

TEST(url, refuses_what_it_cannot_read) {
    for (const char* text :
         {"", "localhost:6379", "://x", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://[::1",
          "redis://[::1]x", "redis://h/%zz", "redis://h/%2", "redis://h?a=%", "redis://h#x"}) {
        refusal(text);
    }
}

TEST(url, never_shows_the_password) {
    EXPECT_EQ(refusal("redis://me:secret@h:99999").find("secret"), std::string::npos);
    EXPECT_EQ(parsed("redis://me:secret@h").display(), "redis://me@h");
}

}  // namespace
}  // namespace headrace::net
