#include <gtest/gtest.h>

#include <headrace/load/http_answer.hpp>

namespace headrace::load {
namespace {

using result = http_answer::result;

// In pieces of `piece` bytes, until it is decided.
result feed(http_answer& a, std::string_view bytes, std::size_t piece = std::string_view::npos) {
    std::vector<net::http::field> scratch;
    auto r = result::more;
    for (std::size_t at = 0; at < bytes.size() && r == result::more; at += piece) {
        // A copy of its exact size that dies at once: nothing may be kept of it.
        const std::string copy(bytes.substr(at, piece));
        r = a.feed(copy, scratch);
        if (piece == std::string_view::npos) break;
    }
    return r;
}

http_answer begun(bool answers_head = false, bool keep = false) {
    http_answer a;
    a.begin(answers_head, keep);
    return a;
}

TEST(http_answer, is_complete_with_its_last_byte_however_it_is_cut) {
    const std::string_view bytes =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        auto a = begun(false, true);
        EXPECT_EQ(feed(a, bytes.substr(0, bytes.size() - 1), piece), result::more);
        EXPECT_EQ(feed(a, bytes.substr(bytes.size() - 1)), result::complete) << piece;
        EXPECT_EQ(a.body(), "abcde");
        EXPECT_EQ(a.bytes(), 5U);
        EXPECT_TRUE(a.keep_alive());
    }
}

TEST(http_answer, goes_on_after_an_interim_response) {
    auto a = begun();
    EXPECT_EQ(feed(a, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), result::more);
    EXPECT_EQ(feed(a, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"), result::complete);
    EXPECT_EQ(a.status(), 201U);
}

TEST(http_answer, to_head_has_no_content) {
    auto a = begun(true);
    EXPECT_EQ(feed(a, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), result::complete);
    EXPECT_EQ(a.bytes(), 0U);
}

TEST(http_answer, without_a_length_ends_with_the_stream) {
    auto a = begun(false, true);
    EXPECT_EQ(feed(a, "HTTP/1.0 200 OK\r\n\r\nabc"), result::more);
    EXPECT_EQ(a.end_of_stream(), result::complete);
    EXPECT_EQ(a.body(), "abc");
    EXPECT_FALSE(a.keep_alive());
}

TEST(http_answer, that_ends_early_is_told_from_none_at_all) {
    auto none = begun();
    EXPECT_EQ(none.end_of_stream(), result::failed);
    EXPECT_FALSE(none.started());
    for (const auto* half :
         {"HTTP", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "HTTP/1.1 100 Continue\r\n\r\n"}) {
        auto a = begun();
        EXPECT_EQ(feed(a, half), result::more) << half;
        EXPECT_EQ(a.end_of_stream(), result::failed) << half;
        EXPECT_TRUE(a.started());
        EXPECT_EQ(a.error(), net::http::parse_error::cut_short);
    }
}

TEST(http_answer, with_bytes_behind_it_ends_the_connection) {
    auto a = begun();
    EXPECT_EQ(feed(a, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n"), result::complete);
    EXPECT_FALSE(a.keep_alive());
}

TEST(http_answer, garbage_is_refused) {
    for (const auto* bytes : {"SSH-2.0-OpenSSH_9.2\r\n", "<html>", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n"}) {
        auto a = begun();
        EXPECT_EQ(feed(a, bytes), result::failed) << bytes;
    }
}

TEST(http_answer, forgets_the_last_one) {
    auto a = begun(false, true);
    ASSERT_EQ(feed(a, "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc"), result::complete);
    a.begin(false, true);
    EXPECT_FALSE(a.started());
    ASSERT_EQ(feed(a, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nde"), result::complete);
    EXPECT_EQ(a.status(), 200U);
    EXPECT_EQ(a.body(), "de");
    EXPECT_EQ(a.bytes(), 2U);
}

TEST(http_answer, keeps_no_more_than_a_mebibyte) {
    auto a = begun(false, true);
    const std::string content(http_answer::max_kept + 10, 'x');
    ASSERT_EQ(feed(a, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content),
              result::complete);
    EXPECT_EQ(a.body().size(), http_answer::max_kept);
    EXPECT_EQ(a.bytes(), content.size());
}

TEST(http_expectation, is_a_status_below_400_unless_said) {
    const http_expectation any;
    EXPECT_EQ(any.judge(204, ""), outcome::ok);
    EXPECT_EQ(any.judge(302, ""), outcome::ok);
    EXPECT_EQ(any.judge(404, ""), outcome::bad_status);
    http_load_options o;
    o.expect_status = {{200, 299}, {404, 404}};
    o.expect_body = "needle";
    const http_expectation some(o);
    EXPECT_EQ(some.judge(302, "needle"), outcome::bad_status);
    EXPECT_EQ(some.judge(404, "a needle in"), outcome::ok);
    EXPECT_EQ(some.judge(200, "hay"), outcome::bad_body);
    EXPECT_TRUE(some.wants_body());
}

}  // namespace
}  // namespace headrace::load
