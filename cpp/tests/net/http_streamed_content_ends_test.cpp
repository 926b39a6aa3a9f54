// Requests whose content is read while it comes, over loopback sockets: every way in which content or answer end before the
// other.
#include "streamed_content.hpp"

namespace headrace::net::http {
namespace {

TEST_F(http_streamed_content, an_answer_before_the_content_ends_the_connection_and_nothing_of_it_is_a_request) {
    start();
    for (const bool deferred : {true, false}) {
        http_client one(server_->port());
        one.send(post(deferred ? "/read" : "/at-once", "Content-Length: 100"));
        if (deferred) {
            asked a = take();
            EXPECT_TRUE(a.answer.send(response::text(200, "at once")));
            EXPECT_EQ(a.all(), "");
            EXPECT_EQ(a.how, read_result::failed);
            EXPECT_EQ(a.content.why(), body_failure::over);
        }
        const auto head = one.read_until("at once");
        EXPECT_TRUE(says(head, "Connection: close"));
        one.send(next_request);
        EXPECT_EQ(one.read_all(), "");
    }
    expect_alive();
}

TEST_F(http_streamed_content, a_rest_that_has_arrived_is_skipped_and_the_connection_goes_on) {
    server_options options;
    options.max_body_buffered = 4;
    start(options);
    http_client one(server_->port());
    for (const bool streamed : {false, true}) {
        const auto before = server_->stats().bytes_in;
        const auto head = of_length(8, "abcd");
        one.send(head);
        asked a = take();
        one.send("efgh" + std::string(next_request));
        wait_for_bytes(before + head.size() + 4 + next_request.size());
        if (streamed) {
            a.answer.stream({}).finish();
        } else {
            a.answer.send(response::text(200, "early"));
        }
        const auto got = one.read_until("\r\n\r\nhello");
        EXPECT_TRUE(says(got, streamed ? "0\r\n\r\nHTTP/1.1 200 OK" : "earlyHTTP/1.1 200 OK")) << got;
        EXPECT_FALSE(says(got, "Connection: close"));
    }
}

TEST_F(http_streamed_content, a_streamed_answer_that_ends_first_closes_the_connection_behind_it) {
    start();
    http_client one(server_->port());
    one.send(of_length(100));
    asked a = take();
    auto answer = a.answer.stream({});
    EXPECT_EQ(answer.write("early"), body_stream::result::ok);
    answer.finish();
    EXPECT_TRUE(one.read_until("0\r\n\r\n").ends_with("early\r\n0\r\n\r\n"));
    one.send(next_request);
    EXPECT_EQ(one.read_all(), "");
    EXPECT_EQ(a.all(), "");
    EXPECT_EQ(a.content.why(), body_failure::over);
}

TEST_F(http_streamed_content, what_handlers_do_wrong_is_answered_500_and_ends_the_connection) {
    start();
    for (const char* path : {"/throw", "/defer-and-throw", "/nothing"}) {
        http_client one(server_->port());
        one.send(post(path, "Content-Length: 100", "abc"));
        const auto got = one.read_all();
        EXPECT_EQ(got.find("HTTP/1.1 500 "), 0U) << path << got;
        EXPECT_EQ(got.rfind("HTTP/1.1"), 0U);
        EXPECT_TRUE(says(got, "Connection: close"));
    }
    http_client one(server_->port());
    one.send(of_length(100));
    static_cast<void>(take());  // dropped without an answer
    EXPECT_TRUE(says(one.read_all(), "was not answered"));
    expect_alive();
}

// What the client sends in the middle of its content, and what becomes of it.
struct bad_case {
    std::string_view content;
    std::string_view status;
    body_failure why;
};

TEST_F(http_streamed_content, content_that_cannot_be_read_is_answered_and_the_reader_told_after_what_came_before) {
    server_options options;
    options.max_streamed_body = 10;
    start(options);
    const bad_case cases[] = {{"x\r\n", "HTTP/1.1 400 ", body_failure::malformed},
                              {"8\r\n01234567\r\n", "HTTP/1.1 413 ", body_failure::too_large}};
    for (const auto& c : cases) {
        http_client one(server_->port());
        one.send(in_chunks("3\r\nabc\r\n"));
        asked a = take();
        const auto told = std::make_shared<std::promise<void>>();
        a.answer.on_cancel([told] { told->set_value(); });
        one.send(c.content);
        EXPECT_EQ(a.all(), "abc");
        EXPECT_EQ(a.how, read_result::failed);
        EXPECT_EQ(a.content.why(), c.why);
        EXPECT_EQ(told->get_future().wait_for(patience), std::future_status::ready);
        EXPECT_TRUE(a.answer.cancelled());
        const auto got = one.read_all();
        EXPECT_EQ(got.find(c.status), 0U) << got;
        EXPECT_TRUE(says(got, "Connection: close"));
        EXPECT_FALSE(a.answer.send(response::text(200, "late")));
    }
    EXPECT_EQ(server_->stats().bad_requests, 2U);
    EXPECT_EQ(server_->stats().cancelled, 0U);
}

TEST_F(http_streamed_content, bad_content_under_an_answer_that_has_begun_cuts_it_off) {
    start();
    http_client one(server_->port());
    one.send(in_chunks("3\r\nabc\r\n"));
    asked a = take();
    auto answer = a.answer.stream({});
    EXPECT_EQ(answer.write("begun"), body_stream::result::ok);
    one.read_until("begun");
    one.send("x\r\n");
    EXPECT_FALSE(says(one.read_all(), "0\r\n\r\n"));
    EXPECT_EQ(a.all(), "abc");
    EXPECT_EQ(a.content.why(), body_failure::malformed);
    EXPECT_TRUE(answer.cancelled());
}

TEST_F(http_streamed_content, limits_are_those_of_where_the_content_goes) {
    server_options options;
    options.limits.max_body = 5;
    options.max_streamed_body = 10;
    start(options);
    struct {
        std::string request;
        std::string_view status;
    } const refused[] = {{of_length(11), "HTTP/1.1 413 "},
                         {post("/read", "Content-Length: 11\r\nExpect: 100-continue"), "HTTP/1.1 413 "},
                         {in_chunks("B\r\n"), "HTTP/1.1 413 "},
                         {post("/whole", "Content-Length: 6"), "HTTP/1.1 413 "},
                         {post("/whole", "Transfer-Encoding: chunked", "6\r\n"), "HTTP/1.1 413 "},
                         {post("/nowhere", "Content-Length: 6"), "HTTP/1.1 413 "}};
    for (const auto& r : refused) {
        http_client one(server_->port());
        one.send(r.request);
        EXPECT_EQ(one.read_all().find(r.status), 0U) << r.request;
    }
    http_client one(server_->port());
    for (const auto& good : {of_length(10, "0123456789"), in_chunks("A\r\n0123456789\r\n0\r\n\r\n"),
                             post("/whole", "Content-Length: 5", "01234")}) {
        one.send(good);
        asked a = take();
        EXPECT_TRUE(a.body.starts_with("01234"));
        EXPECT_TRUE(a.answer.send(response::text(200, "fine")));
        EXPECT_TRUE(says(one.read_until("\r\n\r\nfine"), "200 OK"));
    }
}

TEST_F(http_streamed_content, a_client_that_leaves_is_told_to_reader_and_answerer) {
    start();
    for (const bool half : {false, true}) {
        http_client one(server_->port());
        one.send(of_length(6, "abc"));
        asked a = take();
        const auto told = std::make_shared<std::promise<void>>();
        a.answer.on_cancel([told] { told->set_value(); });
        half ? one.end_sending() : one.close();
        EXPECT_EQ(a.all(), "abc");
        EXPECT_EQ(a.how, read_result::failed);
        EXPECT_EQ(a.content.why(), body_failure::left);
        EXPECT_EQ(told->get_future().wait_for(patience), std::future_status::ready);
        a.answer.send(response::text(400, "half of it\n"));
        if (half) {
            EXPECT_TRUE(says(one.read_all(), "Connection: close"));
        }
    }
    expect_alive();
    EXPECT_EQ(server_->stats().cancelled, 2U);
}

TEST_F(http_streamed_content, content_that_comes_too_slowly_is_answered_408) {
    server_options options;
    options.body_timeout = 100ms;
    start(options);
    http_client slow(server_->port()), begun(server_->port());
    slow.send(of_length(1000, "abc"));
    asked a = take();
    EXPECT_EQ(a.all(), "abc");
    EXPECT_EQ(a.content.why(), body_failure::too_slow);
    EXPECT_TRUE(a.answer.cancelled());
    EXPECT_EQ(slow.read_all().find("HTTP/1.1 408 "), 0U);
    begun.send(of_length(1000));
    asked b = take();
    auto answer = b.answer.stream({});
    EXPECT_EQ(b.all(), "");
    EXPECT_EQ(b.content.why(), body_failure::too_slow);
    EXPECT_FALSE(says(begun.read_all(), "408"));
    EXPECT_EQ(server_->stats().timeouts, 2U);
}

// Other clients that are too slow are the clock: each of them ends a whole period after the first one was held back.
TEST_F(http_streamed_content, a_stop_lets_content_come_to_its_end_within_the_grace) {
    start();
    http_client one(server_->port());
    one.send(of_length(6, "abc"));
    asked a = take();
    server_->begin_stop(patience);
    one.send("def");
    EXPECT_EQ(a.all(), "abcdef");
    EXPECT_TRUE(a.answer.send(response::text(200, "in time")));
    const auto got = one.read_all();
    EXPECT_TRUE(says(got, "in time"));
    EXPECT_TRUE(says(got, "Connection: close"));
    EXPECT_TRUE(server_->wait_stopped(patience));
}

TEST_F(http_streamed_content, what_outlasts_the_grace_or_the_server_has_failed) {
    start();
    http_client one(server_->port());
    one.send(of_length(6, "abc"));
    asked a = take();
    server_->stop(1ms);
    server_.reset();
    EXPECT_EQ(one.read_all(), "");
    EXPECT_EQ(a.all(), "abc");
    EXPECT_EQ(a.content.why(), body_failure::left);
    EXPECT_TRUE(a.answer.cancelled());
}

}  // namespace
}  // namespace headrace::net::http
