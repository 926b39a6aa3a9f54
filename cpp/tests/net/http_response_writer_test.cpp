#include <gtest/gtest.h>

#include <headrace/net/http_response_writer.hpp>

namespace headrace::net::http {
namespace {

std::string whole(const response& r, const response_framing& how = {}) {
    std::string out;
    append_response(out, r, r.body, how);
    return out;
}

TEST(http_response_writer, writes_status_fields_length_and_content) {
    response r = response::text(404, "no");
    r.fields.emplace_back("X-A", "b");
    EXPECT_EQ(whole(r, {.date = "D", .server = "s"}),
              "HTTP/1.1 404 Not Found\r\nServer: s\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\nX-A: b\r\n"
              "Content-Length: 2\r\n\r\nno");
}

TEST(http_response_writer, head_has_the_fields_of_get_and_no_content) {
    EXPECT_EQ(whole({200, "", "abc", {}}, {.head_request = true}), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
    std::string out;
    append_simple_response(out, 200, "t/x", "abc", {.head_request = true});
    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nContent-Type: t/x\r\nContent-Length: 3\r\n\r\n");
}

TEST(http_response_writer, no_content_means_no_framing_fields) {
    EXPECT_EQ(whole({204, "", "ignored", {}}), "HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_EQ(whole({304, "", "ignored", {}}), "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST(http_response_writer, connection_is_named_where_the_version_does_not_say_it) {
    EXPECT_EQ(whole({}, {.keep_alive = false}), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(whole({}, {.minor_version = 0}),
              "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
}

TEST(http_response_writer, streams_in_chunks_and_to_the_close_for_http10) {
    std::string out;
    EXPECT_EQ(append_stream_head(out, {}, {}), stream_end::chunks);
    append_chunk(out, "0123456789abcdef");
    append_chunk(out, "");
    append_last_chunk(out);
    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    out.clear();
    EXPECT_EQ(append_stream_head(out, {}, {.minor_version = 0}), stream_end::close);
    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST(http_response_writer, refuses_fields_that_split_or_reframe_the_response) {
    const auto refused = [](std::string name, std::string value) {
        response r;
        r.fields.emplace_back(std::move(name), std::move(value));
        return std::string(check_fields(r));
    };
    EXPECT_EQ(refused("X-Good", "value \xc3\xa9"), "");
    EXPECT_EQ(refused("X", "a\r\nSet-Cookie: b"), "X");
    EXPECT_EQ(refused("X", std::string("a\0b", 3)), "X");
    EXPECT_EQ(refused("X Y", "a"), "X Y");
    EXPECT_EQ(refused("", "a"), "(empty)");
    EXPECT_EQ(refused("content-length", "1"), "content-length");
    EXPECT_EQ(refused("Transfer-Encoding", "chunked"), "Transfer-Encoding");
    EXPECT_EQ(check_fields({200, "a\nb", "", {}}), "Content-Type");
}

TEST(http_response_writer, dates_are_imf_fixdate) {
    EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace headrace::net::http
