#include <gtest/gtest.h>

#include <headrace/net/http_router.hpp>

namespace headrace::net::http {
namespace {

using outcome = router::outcome;

class http_router : public testing::Test {
protected:
    void SetUp() override {
        std::size_t n = 0;
        for (const auto* pattern :
             {"/", "/users", "/users/me", "/users/{id}", "/users/{id}/files/{path...}", "/{any}"}) {
            ASSERT_FALSE(routes_.add("GET", pattern, n++)) << pattern;
        }
        ASSERT_FALSE(routes_.add("POST", "/users", n));
    }
    // "3 id=7", or the outcome.
    std::string find(std::string_view path, std::string_view method = "GET") {
        router::match m;
        routes_.find(method, path, m);
        if (m.what == outcome::no_path) return "no path";
        if (m.what == outcome::no_method) return "allow " + m.allow;
        if (m.what == outcome::bad_encoding) return "bad encoding";
        auto text = std::to_string(m.route);
        for (const auto& p : m.params) text.append(" ").append(p.name).append("=").append(p.value);
        return text;
    }
    router routes_;
};

TEST_F(http_router, prefers_literals_to_parameters_and_goes_back_where_they_lead_nowhere) {
    EXPECT_EQ(find("/"), "0");
    EXPECT_EQ(find("/users"), "1");
    EXPECT_EQ(find("/users/me"), "2");
    EXPECT_EQ(find("/users/7"), "3 id=7");
    EXPECT_EQ(find("/users/me/files/a/b"), "4 id=me path=a/b");
    EXPECT_EQ(find("/else"), "5 any=else");
    EXPECT_EQ(find("/users/7/else"), "no path");
    EXPECT_EQ(find("/users/"), "no path");
    EXPECT_EQ(find("*"), "no path");
    EXPECT_EQ(find(""), "no path");
}

TEST_F(http_router, decodes_each_segment_on_its_own) {
    EXPECT_EQ(find("/users/a%2Fb"), "3 id=a/b");
    EXPECT_EQ(find("/%75sers"), "1");
    EXPECT_EQ(find("/users/%zz"), "bad encoding");
    EXPECT_EQ(find("/users/%4"), "bad encoding");
}

TEST_F(http_router, says_which_methods_a_path_has) {
    EXPECT_EQ(find("/users", "HEAD"), "1");
    EXPECT_EQ(find("/users", "POST"), "6");
    EXPECT_EQ(find("/users", "DELETE"), "allow OPTIONS, GET, HEAD, POST");
    EXPECT_EQ(find("/users", "get"), "allow OPTIONS, GET, HEAD, POST");
}

TEST_F(http_router, refuses_patterns_that_are_malformed_or_taken) {
    for (const auto* pattern : {"", "x", "/{", "/{}", "/{a-b}", "/x{a}", "/{a...}/b", "/{a}/{a}", "/{...}", "/users"}) {
        EXPECT_TRUE(routes_.add("GET", pattern, 9)) << pattern;
    }
    EXPECT_TRUE(routes_.add("G T", "/new", 9));
    EXPECT_TRUE(routes_.add("PUT", "/users/{name}", 9)) << "other names for the same parameters";
}

}  // namespace
}  // namespace headrace::net::http
