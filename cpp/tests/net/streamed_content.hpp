// A server whose routes take content while it comes, and its requests as the test's thread sees them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <headrace/net/http_server.hpp>
#include <stdexcept>
#include <thread>

#include "handed_over.hpp"
#include "http_client.hpp"
#include "joined_runtimes.hpp"

namespace headrace::net::http {

using test::http_client;
using namespace std::chrono_literals;
using read_result = body_reader::result;

inline constexpr auto patience = 60s;
inline constexpr std::string_view next_request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

inline std::string post(std::string_view path, std::string_view framing, std::string_view content = {}) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(framing) + "\r\n\r\n" +
           std::string(content);
}
inline std::string of_length(std::size_t n, std::string_view content = {}) {
    return post("/read", "Content-Length: " + std::to_string(n), content);
}
inline std::string in_chunks(std::string_view content) {
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
            box_.put({std::move(answer), std::move(content), q.body_follows, std::string(q.body)});
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
    asked take() { return box_.take(); }
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
    test::handed_over<asked> box_;
    std::shared_ptr<server> server_;
};

inline bool says(const std::string& text, std::string_view what) {
    return text.find(what) != std::string::npos;
}

}  // namespace headrace::net::http
