// Routes over loopback sockets with a launcher whose jobs the test begins and ends itself.
#include <gtest/gtest.h>

#include <headrace/http/route.hpp>
#include <thread>

#include "../net/http_client.hpp"
#include "../net/joined_runtimes.hpp"

namespace headrace::http {
namespace {

using namespace std::chrono_literals;
using outcome = route_queue::outcome;
using net::http::response;
using test::http_client;

class manual_launcher final : public launcher {
public:
    failure launch(const std::shared_ptr<route_job>& job) override {
        const lock_guard hold(m_);
        if (broken_) return failure::of(errc::worker_lost, "no worker");
        jobs_.push_back(job);
        changed_.notify_all();
        return {};
    }
    void stop(route_job&) noexcept override {
        const lock_guard hold(m_);
        ++stops_;
        changed_.notify_all();
    }
    std::shared_ptr<route_job> take() {
        const lock_guard hold(m_);
        while (jobs_.empty()) changed_.wait(m_);
        auto first = std::move(jobs_.front());
        jobs_.erase(jobs_.begin());
        return first;
    }
    void wait_for_stops(int n) {
        const lock_guard hold(m_);
        while (stops_ < n) changed_.wait(m_);
    }
    void break_it() {
        const lock_guard hold(m_);
        broken_ = true;
    }

private:
    mutex m_;
    condition changed_;
    std::vector<std::shared_ptr<route_job>> jobs_ HEADRACE_GUARDED_BY(m_);
    int stops_ HEADRACE_GUARDED_BY(m_) = 0;
    bool broken_ HEADRACE_GUARDED_BY(m_) = false;
};

class http_route : public testing::Test {
protected:
    void start(const route_options& options) {
        route_ = std::make_shared<route>("GET /task", options, jobs_, accepted_);
        ASSERT_FALSE(net::http::server::make({}, runtimes_.make(1), server_));
        ASSERT_FALSE(server_->route("GET", "/task", [r = route_](const auto& q, auto& a) { r->handle(q, a); }));
        ASSERT_FALSE(server_->route("GET", "/accepted/{id}", accepted_status(accepted_)));
        ASSERT_FALSE(server_->start());
    }
    std::string ask(std::string_view path) {
        http_client one(server_->port());
        one.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        return one.read_all();
    }
    void until(const std::function<bool(const route_counters&)>& so) const {
        while (!so(route_->stats())) std::this_thread::yield();
    }

    test::joined_runtimes runtimes_;
    std::shared_ptr<manual_launcher> jobs_ = std::make_shared<manual_launcher>();
    std::shared_ptr<accepted_table> accepted_ = std::make_shared<accepted_table>();
    std::shared_ptr<route> route_;
    std::shared_ptr<net::http::server> server_;
};

TEST_F(http_route, AnswersWhatTheExecutorAnswers) {
    start({});
    http_client one(server_->port());
    one.get("/task?x=1");
    const auto job = jobs_->take();
    EXPECT_EQ(job->request().head().query, "x=1");
    EXPECT_EQ(job->peer(), "127.0.0.1");
    ASSERT_TRUE(route_->begin(*job));
    route_->finish(*job, outcome::good, response::text(200, "done"));
    EXPECT_NE(one.read_until("\r\n\r\ndone").find("200 OK"), std::string::npos);
    EXPECT_EQ(route_->stats().replied, 1U);
    EXPECT_TRUE(route_->wait_idle(0s));
}

TEST_F(http_route, RefusesWithRetryAfterWhenTheQueueIsFull) {
    start({.concurrency = 1, .max_queue_size = 1});
    http_client a(server_->port()), b(server_->port()), c(server_->port());
    a.get("/task");
    const auto first = jobs_->take();
    b.get("/task");
    until([](const auto& s) { return s.waiting == 1; });
    c.get("/task");
    const auto refused = c.read_until("this route");
    EXPECT_NE(refused.find("503 "), std::string::npos);
    EXPECT_NE(refused.find("Retry-After: 1"), std::string::npos);
    route_->begin(*first);
    route_->finish(*first, outcome::good, response::text(200, "one"));
    const auto second = jobs_->take();
    route_->begin(*second);
    route_->finish(*second, outcome::good, response::text(200, "two"));
    EXPECT_NE(a.read_until("\r\n\r\none").find("200 OK"), std::string::npos);
    EXPECT_NE(b.read_until("\r\n\r\ntwo").find("200 OK"), std::string::npos);
}

TEST_F(http_route, ADeadlineAnswersAndTheLateAnswerReachesNobody) {
    start({.concurrency = 1, .deadline = 1s});
    http_client one(server_->port());
    one.get("/task");
    const auto job = jobs_->take();
    ASSERT_TRUE(route_->begin(*job));
    EXPECT_NE(one.read_until("has passed").find("504 "), std::string::npos);
    jobs_->wait_for_stops(1);
    EXPECT_TRUE(job->cancelled());
    one.get("/accepted/none");  // the next request of this connection
    EXPECT_NE(one.read_until("is known").find("404 "), std::string::npos);
    one.get("/accepted/none");
    route_->finish(*job, outcome::good, response::text(200, "late"));
    EXPECT_NE(one.read_until("is known").find("404 "), std::string::npos);
    EXPECT_EQ(route_->stats().finished, 1U);
    EXPECT_EQ(route_->stats().replied, 0U);
}

TEST_F(http_route, AClientThatLeavesIsToldToTheExecutor) {
    start({.concurrency = 1});
    http_client a(server_->port()), b(server_->port());
    a.get("/task");
    const auto running = jobs_->take();
    ASSERT_TRUE(route_->begin(*running));
    b.get("/task");
    until([](const auto& s) { return s.waiting == 1; });
    b.close();
    until([](const auto& s) { return s.waiting == 0; });
    a.close();
    jobs_->wait_for_stops(1);
    EXPECT_TRUE(running->cancelled());
    route_->finish(*running, outcome::good, response::text(200, "nobody"));
    EXPECT_EQ(route_->stats().cancelled, 2U);
    EXPECT_TRUE(route_->wait_idle(0s));
}

TEST_F(http_route, AClientThatOnlyEndsItsSideGetsItsAnswer) {
    start({.concurrency = 1});
    http_client one(server_->port());
    one.get("/task");
    const auto job = jobs_->take();
    ASSERT_TRUE(route_->begin(*job));
    one.end_sending();
    jobs_->wait_for_stops(1);
    route_->finish(*job, outcome::good, response::text(200, "still"));
    EXPECT_NE(one.read_all().find("\r\n\r\nstill"), std::string::npos);
}

TEST_F(http_route, AnExecutorThatTakesNothingAnswers502ToAll) {
    start({.concurrency = 1});
    http_client a(server_->port());
    a.get("/task");
    const auto first = jobs_->take();
    route_->begin(*first);
    std::vector<std::unique_ptr<http_client>> others;
    for (int i = 0; i < 100; ++i) {
        others.push_back(std::make_unique<http_client>(server_->port()));
        others.back()->get("/task");
    }
    until([](const auto& s) { return s.waiting == 100; });
    jobs_->break_it();
    route_->finish(*first, outcome::good, response::text(200, "one"));
    for (auto& o : others) EXPECT_NE(o->read_until("no worker").find("502 "), std::string::npos);
    EXPECT_EQ(route_->stats().lost, 100U);
}

TEST_F(http_route, DetachedWorkCanBeAskedFor) {
    class nothing final : public detached_work {};
    start({.concurrency = 1, .max_queue_size = 1});
    http_client one(server_->port());
    one.get("/task");
    const auto job = jobs_->take();
    route_->begin(*job);
    http_client two(server_->port());
    two.get("/task");
    until([](const auto& c) { return c.waiting == 1; });
    route_->finish_with(*job, std::make_shared<nothing>());  // the queue is full
    EXPECT_NE(one.read_until("this route").find("503 "), std::string::npos);
    const auto second = jobs_->take();
    route_->begin(*second);
    route_->finish_with(*second, std::make_shared<nothing>());
    const auto told = two.read_until("\"}");
    EXPECT_NE(told.find("202 "), std::string::npos);
    const auto at = told.find("Location: ") + 10;
    const auto url = told.substr(at, told.find('\r', at) - at);
    const auto work = jobs_->take();
    EXPECT_NE(ask(url).find("queued"), std::string::npos);
    ASSERT_TRUE(route_->begin(*work));
    EXPECT_NE(ask(url).find("running"), std::string::npos);
    route_->finish(*work, outcome::good);
    EXPECT_NE(ask(url).find("done"), std::string::npos);
    EXPECT_EQ(route_->stats().detached, 1U);
    EXPECT_EQ(route_->stats().detached_finished, 1U);
}

TEST_F(http_route, ClosedGivesUpWhatWaits) {
    start({.concurrency = 1});
    http_client a(server_->port()), b(server_->port());
    a.get("/task");
    const auto job = jobs_->take();
    b.get("/task");
    until([](const auto& s) { return s.waiting == 1; });
    route_->close();
    EXPECT_NE(b.read_until("this route").find("503 "), std::string::npos);
    EXPECT_FALSE(route_->wait_idle(0s));
    route_->begin(*job);
    route_->finish(*job, outcome::good, response::text(200, "done"));
    EXPECT_TRUE(route_->wait_idle(10s));
}

TEST(RouteMetrics, NameTheRoute) {
    const auto text = prometheus_text({{"GET /a", {.requests = 3, .running = 1}}});
    EXPECT_NE(text.find("headrace_http_route_requests_total{route=\"GET /a\"} 3\n"), std::string::npos);
    EXPECT_NE(text.find("headrace_http_route_running{route=\"GET /a\"} 1\n"), std::string::npos);
}

}  // namespace
}  // namespace headrace::http
