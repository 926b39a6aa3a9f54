// Loads over loopback, in the unit tests because sanitizers run here: our own server, and a peer that does what a script
// says. No figure is judged, only accounts: every request that was begun is in one place.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <headrace/load/http_load.hpp>
#include <headrace/net/http_server.hpp>
#include <thread>

namespace headrace::load {
namespace {

using namespace std::chrono_literals;
namespace http = net::http;

const std::atomic<bool> never{false};

// Accepts, reads the first bytes, sends `answer`, closes. Until destroyed.
class scripted_peer {
public:
    explicit scripted_peer(std::string answer, bool reset = false) : answer_(std::move(answer)), reset_(reset) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof where;
        void* const raw = &where;
        auto* const generic = static_cast<sockaddr*>(raw);
        EXPECT_EQ(::bind(listener_, generic, size), 0);
        EXPECT_EQ(::listen(listener_, 128), 0);
        ::getsockname(listener_, generic, &size);
        port_ = ntohs(where.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~scripted_peer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    scripted_peer(const scripted_peer&) = delete;
    scripted_peer& operator=(const scripted_peer&) = delete;
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

private:
    void serve() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            char bytes[4096];
            if (::recv(fd, bytes, sizeof bytes, 0) > 0 && !answer_.empty()) {
                EXPECT_GE(::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL), -1);
            }
            const linger now{1, 0};
            if (reset_) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            ::close(fd);
        }
    }

    std::string answer_;
    bool reset_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

class http_load_over_loopback : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_FALSE(http::server::make({}, runtime_, server_));
        const auto add = [this](std::string_view method, std::string_view path, http::handler h) {
            ASSERT_FALSE(server_->route(method, path, std::move(h)));
        };
        add("GET", "/hello", [](const http::request&, http::responder& r) { r.send(200, "text/plain", "hello"); });
        add("GET", "/bad", [](const http::request&, http::responder& r) { r.send(500, "text/plain", "no"); });
        add("POST", "/echo",
            [](const http::request& q, http::responder& r) { r.send(200, "text/plain", std::string(q.body)); });
        add("GET", "/never", [this](const http::request&, http::responder& r) {
            const lock_guard hold(mutex_);
            kept_.push_back(r.defer());
        });
        ASSERT_FALSE(server_->start());
    }
    void TearDown() override {
        {
            const lock_guard hold(mutex_);
            kept_.clear();
        }
        server_->stop(0s);
        server_.reset();
        // What it left to the I/O thread holds the runtime, which must end here and not on a thread of its own.
        while (runtime_.use_count() != 1) {
            std::promise<void> turn;
            runtime_->thread(0).post([&] { turn.set_value(); });
            turn.get_future().wait();
        }
    }
    std::string url(std::string_view path) const {
        return "http://127.0.0.1:" + std::to_string(server_->port()) + std::string(path);
    }

    std::shared_ptr<net::runtime> runtime_ = std::make_shared<net::runtime>();
    mutex mutex_;
    std::vector<http::pending> kept_ HEADRACE_GUARDED_BY(mutex_);
    std::shared_ptr<http::server> server_;
};

http_load_options counted(std::string url, std::uint64_t count) {
    http_load_options o;
    o.requests.push_back({std::move(url)});
    o.users = 4;
    o.count = count;
    o.timeout = 20s;
    return o;
}

http_load_result run(http_load_options o) {
    http_load load(std::move(o));
    auto bad = load.open(never);
    EXPECT_FALSE(bad) << bad.message;
    load.start(0ns);
    while (!load.wait(50ms)) load.progress();
    bad = load.close();
    EXPECT_FALSE(bad) << bad.message;
    return load.result();
}

std::uint64_t of(const http_load_result& r, outcome how) {
    return r.counts.outcomes[static_cast<std::size_t>(how)];
}

TEST_F(http_load_over_loopback, sends_as_many_requests_as_asked) {
    auto o = counted(url("/hello"), 1001);
    o.threads = 2;
    const auto r = run(o);
    EXPECT_EQ(r.counts.ok, 1001U);
    EXPECT_EQ(r.counts.begun, 1001U);
    EXPECT_EQ(r.counts.failed + r.counts.unfinished + r.counts.in_flight, 0U);
    EXPECT_EQ(r.counts.bytes, 5005U);
    EXPECT_EQ(r.counts.connects, 4U);
    EXPECT_EQ(r.histograms.response.count(), 1001U);
    EXPECT_EQ(r.histograms.service.count(), 1001U);
    EXPECT_EQ(server_->stats().requests, 1001U);
    EXPECT_GT(r.end, r.begin);
}

TEST_F(http_load_over_loopback, makes_a_connection_per_request_when_asked) {
    auto o = counted(url("/hello"), 300);
    o.keep_alive = false;
    const auto r = run(o);
    EXPECT_EQ(r.counts.ok, 300U);
    EXPECT_EQ(r.counts.connects, 300U);
    EXPECT_EQ(r.histograms.connect.count(), 300U);
}

TEST_F(http_load_over_loopback, sends_on_a_schedule) {
    auto o = counted(url("/hello"), 200);
    o.rate = 2000;
    o.threads = 2;
    const auto r = run(o);
    EXPECT_EQ(r.counts.ok, 200U);
    EXPECT_GE(r.end - r.begin, 99ms) << "the 200th is due after 99.5 ms";
    EXPECT_EQ(r.histograms.lateness.total() + r.counts.waited, r.counts.begun);
}

TEST_F(http_load_over_loopback, content_arrives_whole_however_large) {
    auto o = counted(url("/echo"), 8);
    o.requests[0].method = "POST";
    o.requests[0].body = std::string(3'000'000, 'x') + "end";
    o.expect_body.clear();
    const auto r = run(o);
    EXPECT_EQ(r.counts.ok, 8U);
    EXPECT_EQ(r.counts.bytes, 8U * 3'000'003U);
}

TEST_F(http_load_over_loopback, judges_status_and_content) {
    auto r = run(counted(url("/bad"), 10));
    EXPECT_EQ(of(r, outcome::bad_status), 10U);
    EXPECT_EQ(r.counts.statuses[5], 10U);
    EXPECT_EQ(r.counts.connects, 4U) << "a status that is not expected does not end the connection";
    auto o = counted(url("/hello"), 10);
    o.expect_body = "goodbye";
    r = run(o);
    EXPECT_EQ(of(r, outcome::bad_body), 10U);
    EXPECT_NE(r.samples[static_cast<std::size_t>(outcome::bad_body)].find("without the expected text"),
              std::string::npos);
}

TEST_F(http_load_over_loopback, goes_through_a_list_in_turn) {
    auto o = counted(url("/hello"), 100);
    o.requests.push_back({url("/bad")});
    o.requests.push_back({url("/hello")});
    o.requests.push_back({url("/echo"), "POST", "abc"});
    const auto r = run(o);
    EXPECT_EQ(r.counts.ok + r.counts.failed, 100U);
    EXPECT_NEAR(static_cast<double>(of(r, outcome::bad_status)), 25.0, 3.0)
        << "each user may stop anywhere in the list";
    o.rate = 5000;
    o.threads = 2;
    EXPECT_EQ(of(run(o), outcome::bad_status), 25U);
}

TEST_F(http_load_over_loopback, what_is_not_answered_in_time_is_counted_with_its_time) {
    auto o = counted(url("/never"), 4);
    o.timeout = 50ms;
    const auto r = run(o);
    EXPECT_EQ(of(r, outcome::timed_out), 4U);
    EXPECT_EQ(r.histograms.response.count(), 4U);
    EXPECT_GE(r.histograms.response.min(), ns{50ms}.count());
}

TEST_F(http_load_over_loopback, what_is_in_flight_at_the_end_is_counted) {
    auto o = counted(url("/never"), 0);
    o.duration = 1s;  // for a slow machine to connect in
    o.drain = 20ms;
    const auto r = run(o);
    EXPECT_EQ(r.counts.unfinished, 4U);
    EXPECT_EQ(r.counts.in_flight, 0U);
    EXPECT_EQ(r.histograms.response.count(), 4U) << "with the time they have waited";
    EXPECT_EQ(r.end - r.begin, o.duration);
    EXPECT_GT(r.counts.busy, 0ns);
    EXPECT_LE(r.counts.busy, 4 * o.duration) << "four in flight for no longer than the window";
}

TEST_F(http_load_over_loopback, what_could_not_be_sent_is_counted) {
    auto o = counted(url("/never"), 0);
    o.rate = 1000;
    o.duration = 100ms;
    o.drain = 0ns;
    const auto r = run(o);
    EXPECT_EQ(r.counts.begun, 4U) << "there are four connections";
    EXPECT_EQ(r.counts.begun + r.counts.unsent, 100U);
    EXPECT_EQ(r.histograms.response.count(), 100U);
}

TEST_F(http_load_over_loopback, can_be_stopped_at_any_moment) {
    auto o = counted(url("/never"), 0);
    o.threads = 2;
    http_load load(o);
    ASSERT_FALSE(load.open(never));
    load.start(0ns);
    EXPECT_FALSE(load.wait(20ms));
    const ns before = monotonic_now();
    load.stop();
    EXPECT_TRUE(load.wait(10s));
    EXPECT_LT(monotonic_now() - before, 5s);
    EXPECT_FALSE(load.close());
    const auto r = load.result();
    EXPECT_TRUE(r.interrupted);
    EXPECT_EQ(r.counts.unfinished, 4U);
}

TEST_F(http_load_over_loopback, leaves_the_warm_up_out) {
    auto o = counted(url("/hello"), 0);
    o.warm_up = 100ms;
    o.duration = 300ms;
    const auto r = run(o);
    EXPECT_GT(r.counts.warm_up, 0U);
    EXPECT_GT(r.counts.ok, 0U);
    EXPECT_EQ(r.counts.warm_up + r.counts.ok + r.counts.late_ok, server_->stats().requests);
}

TEST_F(http_load_over_loopback, users_pause_and_arrive_one_after_another) {
    auto o = counted(url("/hello"), 12);
    o.think_least = o.think_most = 30ms;
    o.ramp = 40ms;
    const auto r = run(o);
    EXPECT_EQ(r.counts.ok, 12U);
    EXPECT_GE(r.end - r.begin, 90ms) << "the last user comes after 30 ms and pauses twice";
}

TEST_F(http_load_over_loopback, writes_a_row_per_request) {
    const auto path = std::filesystem::temp_directory_path() / ("load-rows-" + std::to_string(::getpid()));
    std::FILE* const file = std::fopen(path.c_str(), "w");
    auto o = counted(url("/hello"), 25);
    o.csv_fd = ::fileno(file);
    run(o);
    std::fclose(file);
    std::ifstream in(path);
    std::string line;
    std::size_t rows = 0;
    ASSERT_TRUE(std::getline(in, line));
    EXPECT_EQ(line, "intended,sent,ended,status,bytes,outcome,url");
    for (; std::getline(in, line); ++rows)
        EXPECT_NE(line.find(",200,5,ok," + url("/hello")), std::string::npos) << line;
    EXPECT_EQ(rows, 25U);
    std::filesystem::remove(path);
}

TEST_F(http_load_over_loopback, a_child_of_fork_leaves_it_alone) {
    auto load = std::make_unique<http_load>(counted(url("/hello"), 10));
    ASSERT_FALSE(load->open(never));
    load->start(0ns);
    const auto child = ::fork();
    if (child == 0) {
        const bool told = load->close().code == errc::forked && load->wait(0ns);
        load.reset();
        ::_exit(told ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    while (!load->wait(50ms)) {
    }
    EXPECT_FALSE(load->close());
}

TEST(http_load, counts_what_a_bad_server_does) {
    const auto ends = [](const std::string& answer, bool reset = false) {
        const scripted_peer peer(answer, reset);
        auto o = counted(peer.url(), 0);
        o.users = 2;
        o.duration = 100ms;
        http_load load(o);
        EXPECT_FALSE(load.open(never));
        load.start(0ns);
        while (!load.wait(50ms)) {
        }
        load.close();
        const auto r = load.result();
        const auto& all = r.counts.outcomes;
        const auto most = std::max_element(all.begin(), all.end());
        EXPECT_GT(*most, 0U);
        return name_of(static_cast<outcome>(most - all.begin()));
    };
    EXPECT_EQ(ends(""), "closed");
    EXPECT_EQ(ends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "cut_short");
    EXPECT_EQ(ends("SSH-2.0-OpenSSH\r\n"), "bad_response");
    EXPECT_EQ(ends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "ok");
    EXPECT_EQ(ends("HTTP/1.0 200 OK\r\n\r\nuntil the end"), "ok");
    EXPECT_EQ(ends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true), "reset");
}

TEST(http_load, ends_when_nothing_ever_answers) {
    std::uint16_t port = 0;
    {
        const scripted_peer gone("");
        port = static_cast<std::uint16_t>(std::stoi(gone.url().substr(17)));
    }
    auto o = counted("http://127.0.0.1:" + std::to_string(port) + "/", 0);
    http_load load(o);
    ASSERT_FALSE(load.open(never));
    load.start(0ns);
    while (!load.wait(50ms)) {
    }
    const auto bad = load.close();
    EXPECT_EQ(bad.code, errc::connection_failed);
    EXPECT_NE(bad.message.find("connection refused"), std::string::npos) << bad.message;
    EXPECT_NE(bad.message.find("is the server running"), std::string::npos) << bad.message;
}

TEST(http_load, an_address_that_does_not_answer_is_left_for_the_next) {
    const scripted_peer peer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    auto o = counted("http://localhost:" + peer.url().substr(17), 40);
    const auto r = run(o);
    EXPECT_EQ(r.counts.ok, 40U) << "::1 refuses, 127.0.0.1 answers";
}

TEST(http_load, a_name_that_does_not_resolve_is_told) {
    http_load load(counted("http://no-such-host.invalid/", 1));
    const auto bad = load.open(never);
    EXPECT_EQ(bad.code, errc::connection_failed);
    EXPECT_NE(bad.message.find("no-such-host.invalid"), std::string::npos);
}

TEST(http_load, too_many_users_are_refused_before_anything_is_sent) {
    auto o = counted("http://127.0.0.1:1/", 1);
    o.users = 999'999;
    o.requests.push_back({"http://127.0.0.1:2/"});
    o.requests.push_back({"http://127.0.0.1:3/"});
    http_load load(o);
    const auto bad = load.open(never);
    if (!bad) GTEST_SKIP() << "this process may open three million descriptors";
    EXPECT_EQ(bad.code, errc::invalid_argument);
    EXPECT_NE(bad.message.find("file descriptors"), std::string::npos);
}

}  // namespace
}  // namespace headrace::load
