// Requests whose content is read while it comes, over loopback sockets: pieces, pressure back on the client, 100 (Continue).
// How content or answer end before the other is in http_streamed_content_ends_test.cpp.
#include "streamed_content.hpp"

namespace headrace::net::http {
namespace {

TEST_F(http_streamed_content, a_handler_runs_before_the_content_is_there_and_the_next_request_after_it) {
    start();
    http_client one(server_->port());
    one.send(of_length(6));
    asked a = take();
    EXPECT_TRUE(a.follows);
    std::string piece;
    EXPECT_EQ(a.content.read(piece), read_result::wait);
    one.send("abc");
    EXPECT_EQ(a.next(piece), read_result::piece);
    EXPECT_EQ(piece, "abc");
    one.send("def" + std::string(next_request));
    EXPECT_EQ(a.next(piece), read_result::end);
    EXPECT_EQ(piece, "def");
    EXPECT_EQ(a.content.read(piece), read_result::end);
    EXPECT_EQ(piece, "");
    EXPECT_TRUE(a.answer.send(response::text(200, "read")));
    const auto got = one.read_until("\r\n\r\nhello");
    EXPECT_LT(got.find("\r\n\r\nread"), got.find("\r\n\r\nhello"));
    EXPECT_FALSE(says(got, "Connection: close"));
}

TEST_F(http_streamed_content, content_that_came_with_its_head_is_whole) {
    start();
    http_client one(server_->port());
    for (const auto& request : {of_length(3, "abc"), in_chunks("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")}) {
        one.send(request);
        asked a = take();
        EXPECT_FALSE(a.follows);
        EXPECT_EQ(a.body, "abc");
        std::string piece = "old";
        EXPECT_EQ(a.content.read(piece), read_result::end);
        EXPECT_EQ(piece, "");
        a.answer.send(response::text(200, "read"));
        one.read_until("\r\n\r\nread");
    }
}

TEST_F(http_streamed_content, chunks_arrive_decoded_however_they_are_cut) {
    start();
    http_client one(server_->port());
    const std::string request = in_chunks("3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n");
    for (std::size_t head = request.find("\r\n\r\n") + 4, cut = head; cut < request.size(); ++cut) {
        one.send(request.substr(0, cut));
        asked a = take();
        EXPECT_TRUE(a.follows) << cut;
        one.send(request.substr(cut));
        EXPECT_EQ(a.all(), "abc0123456789") << cut;
        EXPECT_EQ(a.how, read_result::end);
        a.answer.send(response::text(200, "read"));
        one.read_until("\r\n\r\nread");
    }
}

// What it says it took bounds its memory: the buffer of the reader and the one of the connection.
TEST_F(http_streamed_content, a_reader_that_does_not_read_stops_the_client) {
    server_options options;
    options.max_body_buffered = 100'000;
    options.limits.max_body = 1000;  // of routes that gather
    start(options);
    http_client one(server_->port());
    constexpr std::size_t whole = 64 << 20;
    one.send(of_length(whole));
    asked a = take();
    const std::string some(50'000, 'x');
    const auto stalled = one.send_until_stalled(some, whole);
    EXPECT_LT(stalled, whole);
    EXPECT_LE(server_->stats().bytes_in, 100'000U + (64U << 10) + 200U);
    std::thread rest([&] { one.send(std::string(whole - stalled, 'x')); });
    std::size_t got = 0;
    std::string piece;
    while (a.next(piece) == read_result::piece) {
        EXPECT_LE(piece.size(), 100'000U);
        got += piece.size();
    }
    rest.join();
    EXPECT_EQ(got + piece.size(), whole);
    a.answer.send(response::text(200, "read"));
    one.send(next_request);
    EXPECT_TRUE(says(one.read_until("\r\n\r\nhello"), "\r\n\r\nread"));
}

TEST_F(http_streamed_content, a_route_that_gathers_runs_when_everything_has_come) {
    start();
    http_client one(server_->port());
    one.send(post("/whole", "Content-Length: 6", "abc"));
    one.send("def");
    asked a = take();
    EXPECT_FALSE(a.follows);
    EXPECT_EQ(a.body, "abcdef");
    a.answer.send(response::text(200, "whole"));
    EXPECT_TRUE(says(one.read_until("\r\n\r\nwhole"), "200 OK"));
}

TEST_F(http_streamed_content, a_client_that_ends_its_side_behind_its_content_is_read_to_the_end) {
    server_options options;
    options.max_body_buffered = 4;
    options.cancel_on_half_close = false;
    start(options);
    http_client one(server_->port());
    one.send(of_length(8, "abcd"));
    asked a = take();
    one.send("efgh");
    one.end_sending();
    EXPECT_EQ(a.all(), "abcdefgh");
    EXPECT_EQ(a.how, read_result::end);
    EXPECT_TRUE(a.answer.send(response::text(200, "read")));
    EXPECT_TRUE(one.read_all().ends_with("\r\n\r\nread"));
}

TEST_F(http_streamed_content, no_time_runs_against_a_client_whose_content_is_not_read) {
    server_options options;
    options.body_timeout = 100ms;
    options.max_body_buffered = 4;
    start(options);
    http_client held(server_->port()), waits(server_->port());
    const std::string content(20'000, 'x');  // more than one read's
    const auto request = of_length(content.size(), content);
    held.send(request);
    asked a = take();
    wait_for_bytes(request.size());
    waits.send(post("/read", "Content-Length: 3\r\nExpect: 100-continue"));
    asked b = take();
    for (int i = 0; i < 3; ++i) {
        http_client slow(server_->port());
        slow.send(of_length(1000));
        EXPECT_EQ(slow.read_all().find("HTTP/1.1 408 "), 0U);
        EXPECT_EQ(take().all(), "");
    }
    EXPECT_EQ(a.all(), content);
    EXPECT_EQ(a.how, read_result::end);
    EXPECT_FALSE(b.answer.cancelled());
    EXPECT_TRUE(a.answer.send(response::text(200, "read")));
    EXPECT_TRUE(says(held.read_until("\r\n\r\nread"), "200 OK"));
}

TEST_F(http_streamed_content, a_client_that_asks_first_is_told_when_its_content_is_wanted) {
    start();
    const auto request = post("/read", "Content-Length: 3\r\nExpect: 100-continue");
    http_client one(server_->port());
    one.send(request);
    asked a = take();
    std::string piece;
    EXPECT_EQ(a.content.read(piece), read_result::wait);
    EXPECT_EQ(one.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    one.send("abc");
    EXPECT_EQ(a.all(), "abc");
    a.answer.send(response::text(200, "read"));
    EXPECT_EQ(one.read_until("\r\n\r\nread").find("HTTP/1.1 200 OK"), 0U);
    one.send(request);  // which is refused without being read
    asked b = take();
    b.answer.send(response::text(403, "no"));
    const auto got = one.read_all();
    EXPECT_EQ(got.find("HTTP/1.1 403 "), 0U) << got;
    EXPECT_TRUE(says(got, "Connection: close"));
    http_client two(server_->port());
    two.send(request);
    asked c = take();
    auto answer = c.answer.stream({});
    EXPECT_EQ(answer.write("begun"), body_stream::result::ok);
    EXPECT_EQ(two.read_until("begun\r\n").find("HTTP/1.1 200 OK"), 0U);
    EXPECT_EQ(c.content.read(piece), read_result::wait);
    two.send("abc");
    EXPECT_EQ(c.all(), "abc");
    answer.finish();
    EXPECT_EQ(two.read_until("0\r\n\r\n"), "0\r\n\r\n") << "an interim answer has no place in a final one";
}

void write(body_stream& answer, const std::string& piece) {
    while (answer.write(piece) == body_stream::result::full) {
        const auto room = std::make_shared<std::promise<void>>();
        answer.on_writable([room] { room->set_value(); });
        ASSERT_EQ(room->get_future().wait_for(patience), std::future_status::ready);
    }
}

TEST_F(http_streamed_content, uploads_are_echoed_while_they_come_by_other_threads) {
    server_options options;
    options.max_body_buffered = 10'000;
    start(options, 2);
    constexpr int connections = 6, rounds = 5;
    constexpr std::size_t size = 200'000;
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int c = 0; c < connections; ++c) {
        threads.emplace_back([&] {
            http_client one(server_->port());
            for (int i = 0; i < rounds; ++i) {
                one.send(of_length(size));
                std::thread sender([&] {
                    for (std::size_t sent = 0; sent < size; sent += 20'000) one.send(std::string(20'000, 'x'));
                });
                const auto got = one.read_until("the end");
                sender.join();
                const auto content = got.find("\r\n\r\n") + 4;
                good += got.substr(content) == std::string(size, 'x') + "the end";
            }
        });
        threads.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                asked a = take();
                response head;
                head.content_length = size + 7;
                auto answer = a.answer.stream(head);
                std::string piece;
                for (auto how = read_result::piece; how == read_result::piece;) {
                    how = a.next(piece);
                    write(answer, piece);
                }
                write(answer, "the end");
                answer.finish();
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(good, connections * rounds);
}

}  // namespace
}  // namespace headrace::net::http
