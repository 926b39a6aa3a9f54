// Requests whose content is read while it comes, over loopback sockets: pieces, pressure back on the client, and every way
// in which content or answer end before the other.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <headrace/base/mutex.hpp>
#include <headrace/net/http_server.hpp>
#include <optional>
#include <thread>

#include "http_client.hpp"
#include "joined_runtimes.hpp"

namespace headrace::net::http {
namespace {

using test::http_client;
using namespace std::chrono_literals;
using read_result = body_reader::result;

constexpr auto patience = 60s;
constexpr std::string_view next_request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

std::string post(std::string_view path, std::string_view framing, std::string_view content = {}) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(framing) + "\r\n\r\n" +
           std::string(content);
}
std::string of_length(std::size_t n, std::string_view content = {}) {
    return post("/read", "Content-Length: " + std::to_string(n), content);
}
std::string in_chunks(std::string_view content) {
    return post("/read", "Transfer-Encoding: chunked", content);
}

// A request as its handler found it, for the test's thread.
struct asked {
    pending answer;
    body_reader content;
    bool follows;
    std::string body;

    // The next piece or how it ended; waits for it.
    read_result next(std::string& piece) {
        for (;;) {
            const auto got = content.read(piece);
            if (got != read_result::wait) return got;
            auto ready = std::make_shared<std::promise<void>>();
            content.on_readable([ready] { ready->set_value(); });
            if (ready->get_future().wait_for(patience) != std::future_status::ready) {
                ADD_FAILURE() << "nothing came to be read";
                return read_result::wait;
            }
        }
    }
    // All of it, up to its end or its failure.
    std::string all() {
        std::string whole, piece;
        for (;;) {
            how = next(piece);
            whole += piece;
            if (how != read_result::piece) return whole;
        }
    }
    read_result how = read_result::wait;
};

class http_streamed_content : public testing::Test {
protected:
    void start(server_options options = {}, std::size_t threads = 1) {
        ASSERT_FALSE(server::make(options, runtimes_.make(threads), server_));
        const auto keep = [this](const request& q, responder& r) {
            auto answer = r.defer();
            auto content = answer.content();
            put({std::move(answer), std::move(content), q.body_follows, std::string(q.body)});
        };
        ASSERT_FALSE(server_->route("POST", "/read", keep, body_mode::streamed));
        ASSERT_FALSE(server_->route("POST", "/whole", keep));
        add("GET", "/hello", [](const request&, responder& r) { r.send(200, "text/plain", "hello"); });
        add("POST", "/at-once", [](const request&, responder& r) { r.send(200, "text/plain", "at once"); });
        add("POST", "/throw", [](const request&, responder&) { throw std::runtime_error("secret"); });
        add("POST", "/defer-and-throw", [](const request&, responder& r) {
            auto p = r.defer();
            throw std::runtime_error("secret");
        });
        add("POST", "/nothing", [](const request&, responder&) {});
        ASSERT_FALSE(server_->start());
    }
    void add(std::string_view method, std::string_view path, handler h) {
        ASSERT_FALSE(server_->route(method, path, std::move(h), body_mode::streamed));
    }
    void put(asked a) {
        const lock_guard hold(mutex_);
        kept_.push_back(std::move(a));
        changed_.notify_all();
    }
    asked take() {
        const lock_guard hold(mutex_);
        while (kept_.empty()) changed_.wait(mutex_);
        asked first = std::move(kept_.front());
        kept_.erase(kept_.begin());
        return first;
    }
    // Until the server has read this many bytes.
    void wait_for_bytes(std::size_t n) {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (server_->stats().bytes_in < n && std::chrono::steady_clock::now() < until) std::this_thread::yield();
        ASSERT_GE(server_->stats().bytes_in, n);
    }
    void expect_alive() {
        http_client other(server_->port());
        other.send(next_request);
        EXPECT_EQ(other.read_until("\r\n\r\nhello").find("HTTP/1.1 200 OK"), 0U);
    }

    test::joined_runtimes runtimes_;
    mutex mutex_;
    condition changed_;
    std::vector<asked> kept_ HEADRACE_GUARDED_BY(mutex_);
    std::shared_ptr<server> server_;
};

bool says(const std::string& text, std::string_view what) {
    return text.find(what) != std::string::npos;
}

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
