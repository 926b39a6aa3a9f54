// The server over loopback sockets, in the unit tests because sanitizers run here: threads that answer, clients that
// leave, a stop in between. What it says on the wire is in tests/conformance.
#include <gtest/gtest.h>

#include <atomic>
#include <headrace/base/mutex.hpp>
#include <headrace/net/http_server.hpp>
#include <thread>

#include "handed_over.hpp"
#include "http_client.hpp"
#include "joined_runtimes.hpp"

namespace headrace::net::http {
namespace {

using test::http_client;

using namespace std::chrono_literals;

class http_server : public testing::Test {
protected:
    void start(std::size_t threads = 1, server_options options = {}) {
        ASSERT_FALSE(server::make(options, runtimes_.make(threads), server_));
        const auto add = [this](std::string_view path, handler h) {
            ASSERT_FALSE(server_->route("GET", path, std::move(h)));
        };
        add("/hello", [](const request&, responder& r) { r.send(200, "text/plain", "hello"); });
        add("/defer", [this](const request&, responder& r) { box_.put(r.defer()); });
        add("/throw", [](const request&, responder&) { throw std::runtime_error("secret"); });
        add("/defer-and-throw", [](const request&, responder& r) {
            auto p = r.defer();
            throw std::runtime_error("secret");
        });
        add("/stream-7", [this](const request&, responder& r) { box_.put(r.defer()); });
        ASSERT_FALSE(server_->route_rest([](const request& q, responder& r) {
            r.send(200, "text/plain", "rest " + std::string(q.head.method) + " of " + r.peer().host);
        }));
        add("/nothing", [](const request&, responder&) {});
        add("/split", [](const request&, responder& r) {
            response answer;
            answer.fields.emplace_back("X", "a\r\nSet-Cookie: b");
            r.send(std::move(answer));
        });
        ASSERT_FALSE(server_->start());
    }

    test::joined_runtimes runtimes_;
    test::handed_over<pending> box_;
    std::shared_ptr<server> server_;
};

TEST_F(http_server, answers_from_many_threads_in_the_order_of_requests) {
    start(2);
    std::vector<std::thread> clients;
    std::atomic<int> good{0};
    constexpr int connections = 8, rounds = 25;
    for (int c = 0; c < connections; ++c) {
        clients.emplace_back([&] {
            http_client one(server_->port());
            for (int i = 0; i < rounds; ++i) {
                one.send("GET /defer HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                const auto got = one.read_until("\r\n\r\nhello");
                const auto deferred = got.find("\r\n\r\nlater");
                if (deferred != std::string::npos && deferred < got.find("\r\n\r\nhello")) ++good;
            }
        });
    }
    std::vector<std::thread> workers;
    for (int w = 0; w < 2; ++w) {
        workers.emplace_back([&] {
            for (int i = 0; i < connections * rounds / 2; ++i)
                EXPECT_TRUE(box_.take().send(response::text(200, "later")));
        });
    }
    for (auto& t : clients) t.join();
    for (auto& t : workers) t.join();
    EXPECT_EQ(good, connections * rounds);
}

TEST_F(http_server, a_client_that_leaves_cancels_and_its_answer_goes_nowhere) {
    start();
    http_client one(server_->port());
    one.get("/defer");
    pending p = box_.take();
    std::atomic<bool> told{false};
    p.on_cancel([&] {
        told = true;
        told.notify_all();
    });
    EXPECT_FALSE(p.cancelled());
    one.close();
    told.wait(false);
    EXPECT_TRUE(p.cancelled());
    p.on_cancel([&] { told = false; });
    EXPECT_FALSE(told) << "a notice that comes late is given at once";
    p.send(response::text(200, "nobody"));
    http_client two(server_->port());
    two.get("/hello");
    EXPECT_NE(two.read_until("\r\n\r\nhello").find("200 OK"), std::string::npos);
    EXPECT_EQ(server_->stats().cancelled, 1U);
}

TEST_F(http_server, what_handlers_do_wrong_is_answered_500_without_its_text) {
    start();
    http_client one(server_->port());
    const std::pair<const char*, const char*> wrong[] = {{"/throw", "could not be handled\n"},
                                                         {"/defer-and-throw", "could not be handled\n"},
                                                         {"/nothing", "was not answered\n"},
                                                         {"/split", "was malformed\n"}};
    for (const auto& [path, text] : wrong) {
        one.get(path);
        const auto got = one.read_until(text);
        EXPECT_NE(got.find("500 Internal Server Error"), std::string::npos) << path;
        EXPECT_EQ(got.find("secret"), std::string::npos);
        EXPECT_EQ(got.find("Set-Cookie"), std::string::npos);
    }
    one.get("/defer");
    static_cast<void>(box_.take());  // dropped without an answer
    EXPECT_NE(one.read_until("not answered").find("500"), std::string::npos);
    one.get("/hello");
    EXPECT_NE(one.read_until("\r\n\r\nhello").find("200 OK"), std::string::npos);
}

TEST_F(http_server, a_stream_is_held_back_by_a_client_that_does_not_read) {
    server_options options;
    options.max_stream_buffered = 100'000;
    start(1, options);
    http_client one(server_->port());
    one.get("/defer");
    auto stream = box_.take().stream({200, "a/b", {}, {}});
    std::size_t taken = 0;
    while (stream.write(std::string(50'000, 'x')) == body_stream::result::ok) taken += 50'000;
    EXPECT_LT(taken, 20'000'000U) << "the kernel's buffers and ours are all that it may fill";
    std::atomic<bool> room{false};
    stream.on_writable([&] {
        room = true;
        room.notify_all();
    });
    std::thread reader([&] { EXPECT_NE(one.read_until("the end").size(), 0U); });
    room.wait(false);
    while (stream.write("the end") == body_stream::result::full) {
        std::atomic<bool> again{false};
        stream.on_writable([&] {
            again = true;
            again.notify_all();
        });
        again.wait(false);
    }
    stream.finish();
    reader.join();
}

TEST_F(http_server, an_unfinished_stream_ends_the_connection_without_a_last_chunk) {
    start();
    http_client one(server_->port());
    one.get("/defer");
    {
        auto stream = box_.take().stream({});
        EXPECT_EQ(stream.write("part"), body_stream::result::ok);
    }
    const auto got = one.read_all();
    EXPECT_NE(got.find("4\r\npart\r\n"), std::string::npos);
    EXPECT_EQ(got.find("0\r\n\r\n"), std::string::npos);
    http_client two(server_->port());
    two.get("/hello");
    EXPECT_EQ(two.read_until("\r\n\r\nhello").find("HTTP/1.1 200 OK"), 0U) << "nothing of it reaches anybody else";
}

TEST_F(http_server, stop_finishes_what_was_asked_and_closes_what_is_idle) {
    start(2);
    http_client busy(server_->port()), idle(server_->port());
    idle.get("/hello");
    idle.read_until("\r\n\r\nhello");
    busy.get("/defer");
    pending p = box_.take();
    server_->begin_stop(60s);
    EXPECT_EQ(idle.read_all(), "");
    EXPECT_FALSE(server_->wait_stopped(1ms));
    p.send(response::text(200, "in time"));
    const auto got = busy.read_all();
    EXPECT_NE(got.find("in time"), std::string::npos);
    EXPECT_NE(got.find("Connection: close"), std::string::npos);
    EXPECT_TRUE(server_->wait_stopped(20s));
}

TEST_F(http_server, after_the_grace_the_rest_is_closed_and_late_answers_are_refused) {
    start();
    http_client one(server_->port());
    one.get("/defer");
    pending p = box_.take();
    server_->stop(1ms);
    EXPECT_EQ(one.read_all(), "");
    EXPECT_TRUE(p.cancelled());
    EXPECT_FALSE(p.send(response::text(200, "late")));
    server_.reset();
}

TEST_F(http_server, a_taken_port_is_an_error_with_one_thread_and_with_several) {
    start(2);
    for (const std::size_t threads : {1U, 2U}) {
        std::shared_ptr<server> second;
        server_options options;
        options.port = server_->port();
        ASSERT_FALSE(server::make(options, runtimes_.make(threads), second));
        EXPECT_EQ(second->start().code, errc::connection_failed);
    }
}

TEST_F(http_server, what_no_route_takes_goes_to_the_rest_with_any_method) {
    start();
    http_client one(server_->port());
    one.send("PURGE /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_NE(one.read_until("127.0.0.1").find("\r\n\r\nrest PURGE of 127.0.0.1"), std::string::npos);
    one.send("POST /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_NE(one.read_until("127.0.0.1").find("\r\n\r\nrest POST of 127.0.0.1"), std::string::npos);
    one.get("/hello");
    EXPECT_NE(one.read_until("\r\n\r\nhello").find("200 OK"), std::string::npos);
}

TEST_F(http_server, a_stream_with_a_length_is_cut_to_it_and_ended_when_it_is_short) {
    start();
    http_client one(server_->port());
    response head;
    head.content_length = 7;
    one.get("/stream-7");
    auto whole = box_.take().stream(head);
    whole.write("1234");
    whole.write("56789");
    whole.finish();
    const auto got = one.read_until("\r\n\r\n1234567");
    EXPECT_NE(got.find("Content-Length: 7"), std::string::npos);
    EXPECT_EQ(got.find("chunked"), std::string::npos);
    one.get("/stream-7");  // the connection goes on
    auto cut = box_.take().stream(head);
    cut.write("123");
    cut.finish();
    EXPECT_TRUE(one.read_all().ends_with("\r\n\r\n123")) << "only the end of the connection tells that it is short";
}

TEST_F(http_server, answers_of_a_burst_leave_when_it_ends_or_is_flushed) {
    start(2);
    http_client clients[4] = {http_client(server_->port()), http_client(server_->port()), http_client(server_->port()),
                              http_client(server_->port())};
    for (auto& c : clients) c.get("/defer");
    std::thread([this] {
        const answer_burst outer;
        EXPECT_TRUE(box_.take().send(response::text(200, "later")));
        answer_burst::flush();
        const answer_burst inner;
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(box_.take().send(response::text(200, "later")));
    }).join();
    for (auto& c : clients) EXPECT_NE(c.read_until("\r\n\r\nlater").find("200 OK"), std::string::npos);
}

constexpr std::string_view handshake =
    "GET /defer HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// Says "hi" when it is opened, and is paused then.
class greeter final : public websocket::listener {
public:
    void on_open(const std::shared_ptr<websocket::connection>& peer) override {
        peer->send(websocket::opcode::text, "hi");
        peer->pause();
        const lock_guard hold(mutex_);
        peer_ = peer;
        changed_.notify_all();
    }
    void on_message(websocket::connection& peer, websocket::opcode code, std::string_view payload) override {
        EXPECT_TRUE(resumed) << "a paused connection is not read";
        peer.send(code, payload);
    }
    void on_close(websocket::connection&, std::uint16_t code, std::string_view) override {
        const lock_guard hold(mutex_);
        code_ = code;
        changed_.notify_all();
    }
    void on_progress(websocket::connection&) override { ++progressed; }

    std::shared_ptr<websocket::connection> peer() {
        const lock_guard hold(mutex_);
        while (!peer_) changed_.wait(mutex_);
        return peer_;
    }
    std::uint16_t code() {
        const lock_guard hold(mutex_);
        while (code_ == 0) changed_.wait(mutex_);
        return code_;
    }
    std::atomic<bool> resumed{false};
    std::atomic<int> progressed{0};

private:
    mutex mutex_;
    condition changed_;
    std::shared_ptr<websocket::connection> peer_ HEADRACE_GUARDED_BY(mutex_);
    std::uint16_t code_ HEADRACE_GUARDED_BY(mutex_) = 0;
};

TEST_F(http_server, a_websocket_is_accepted_later_and_can_be_paused) {
    start();
    http_client one(server_->port());
    one.send(handshake);
    pending p = box_.take();
    const auto events = std::make_shared<greeter>();
    request_head head;
    const field key{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="};
    head.fields = {&key, 1};
    response bad;
    bad.fields.emplace_back("X", "a\r\nb: c");
    EXPECT_FALSE(p.accept_websocket(head, bad, {}, events, {}));
    response fields;
    fields.fields.emplace_back("X-One", "1");
    ASSERT_TRUE(p.accept_websocket(head, fields, "chat", events, {}));
    const auto got = one.read_until("\x81\x02hi");
    EXPECT_TRUE(got.starts_with("HTTP/1.1 101 "));
    EXPECT_NE(got.find("Sec-WebSocket-Protocol: chat\r\nX-One: 1\r\n\r\n"), std::string::npos);
    const auto peer = events->peer();
    one.send(std::string_view("\x81\x82\0\0\0\0ab", 8));
    peer->thread().post([&] {
        events->resumed = true;
        peer->resume();
    });
    EXPECT_EQ(one.read_until("ab"),
              "\x81\x02"
              "ab");
    EXPECT_GT(events->progressed, 0);
    one.close();
    EXPECT_EQ(events->code(), websocket::close_code::abnormal);
}

}  // namespace
}  // namespace headrace::net::http
