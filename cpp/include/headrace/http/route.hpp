// A route whose handler runs on an executor: what stands between the server, the decisions (route_queue) and a launcher.
//
//   server -> route::handle() -> launcher::launch(job) ... begin(job) ... finish(job, outcome, answer) -> client
//
// The same for every kind of executor; a launcher only knows how to get a job to where it runs.
// Threads:  handle() on I/O threads; begin(), stream(), finish() on the executor's, once each per job and in this
//           order; the rest from any. Neither a launcher nor a client is called under the lock.
// Lifetime: a job holds its route, a route its launcher.
// Errors:   every request is answered: 503 with Retry-After when full, 504 at its deadline, 502 when its worker was lost.
// Stop:     close() refuses what comes; what runs ends by itself, wait_idle() waits for it.
#pragma once

#include <atomic>
#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/http/accepted_table.hpp>
#include <headrace/http/route_queue.hpp>
#include <headrace/net/alarm.hpp>
#include <headrace/net/http_owned_request.hpp>
#include <headrace/net/http_server.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace headrace::http {

class route;

/// What is done after its answer, as its executor knows it. Its destructor may run on any thread.
class detached_work {
public:
    virtual ~detached_work() = default;
};

/// A request on its way, or a piece of detached work.
class route_job final : public route_entry {
public:
    route_job(std::shared_ptr<route> home, const net::http::request& q, std::string peer, net::http::pending client)
        : home_(std::move(home)), peer_(std::move(peer)), client_(std::move(client)) {
        request_.emplace(q);
    }
    route_job(std::shared_ptr<route> home, std::shared_ptr<detached_work> work, std::string id)
        : home_(std::move(home)), client_(nullptr), work_(std::move(work)), id_(std::move(id)) {
        detached = true;
    }

    route& home() const noexcept { return *home_; }
    /// Not of detached work.
    const net::http::owned_request& request() const noexcept { return *request_; }
    const std::string& peer() const noexcept { return peer_; }
    /// The client has left, or its deadline has passed: the answer goes nowhere.
    const std::atomic<bool>& cancelled() const noexcept { return cancelled_; }
    const std::shared_ptr<detached_work>& work() const noexcept { return work_; }

    /// The launcher's own, to find what it is to stop. Any thread.
    void set_launched(std::shared_ptr<void> what) HEADRACE_EXCLUDES(m_) {
        const lock_guard hold(m_);
        launched_.swap(what);
    }
    std::shared_ptr<void> launched() const HEADRACE_EXCLUDES(m_) {
        const lock_guard hold(m_);
        return launched_;
    }

private:
    friend class route;
    const std::shared_ptr<route> home_;
    std::optional<net::http::owned_request> request_;
    const std::string peer_;
    net::http::pending client_;
    const std::shared_ptr<detached_work> work_;
    const std::string id_;
    std::atomic<bool> cancelled_{false};
    bool left_ = false;  // with the route's lock: the client ended its side, and may still read
    mutable mutex m_;
    std::shared_ptr<void> launched_ HEADRACE_GUARDED_BY(m_);
    std::shared_ptr<route_job> self_;  // while the queue has it
};

class launcher {
public:
    virtual ~launcher() = default;
    /// Sees to it that the job begins. A failure: it was not taken.
    virtual failure launch(const std::shared_ptr<route_job>& job) = 0;
    /// Nobody waits for its answer any more. It may be at any stage, ended as well.
    virtual void stop(route_job&) noexcept {}
};

class route : public std::enable_shared_from_this<route> {
public:
    using outcome = route_queue::outcome;

    /// `name` as in counters and logs: "GET /task/{id}".
    route(std::string name, const route_options& options, std::shared_ptr<launcher> where,
          std::shared_ptr<accepted_table> accepted);
    virtual ~route() = default;  // bindings keep the handler in a class of their own
    route(const route&) = delete;
    route& operator=(const route&) = delete;

    const std::string& name() const noexcept { return name_; }
    const route_options& options() const noexcept { return options_; }

    void handle(const net::http::request& q, net::http::responder& r);
    /// False: it is not wanted any more, and has left.
    bool begin(route_job& job);
    void finish(route_job& job, outcome how, net::http::response answer = {});
    /// The answer begins before the handler has ended. Null: it is not wanted any more.
    std::optional<net::http::body_stream> stream(route_job& job, net::http::response head);
    /// finish() of a handler that leaves work behind, which begins after the answer: 202, or 503 when there is no room.
    void finish_with(route_job& job, std::shared_ptr<detached_work> work);

    route_counters stats() const;
    void close();
    bool wait_idle(ns timeout);

private:
    void launch_ready();
    void give_up(const std::shared_ptr<route_job>& job, unsigned status, std::string text);
    void on_cancel(route_job& job);
    ns sweep(ns now);
    net::http::response full() const;

    const std::string name_;
    const route_options options_;
    const std::shared_ptr<launcher> launcher_;
    const std::shared_ptr<accepted_table> accepted_;
    const std::uint32_t generation_ = fork_generation();
    mutable mutex m_;
    condition idle_;
    route_queue queue_ HEADRACE_GUARDED_BY(m_);
    std::once_flag alarm_made_;
    std::unique_ptr<net::alarm> alarm_;
};

/// The counters of routes in the text format of Prometheus.
std::string prometheus_text(const std::vector<std::pair<std::string, route_counters>>& routes);

/// Answers what became of accepted work, asked for as the path parameter {id}.
net::http::handler accepted_status(std::shared_ptr<accepted_table> table);

}  // namespace headrace::http
