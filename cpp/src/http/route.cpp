#include <headrace/http/route.hpp>
#include <utility>

namespace headrace::http {

using net::http::response;

route::route(std::string name, const route_options& options, std::shared_ptr<launcher> where,
             std::shared_ptr<accepted_table> accepted)
    : name_(std::move(name)),
      options_(options),
      launcher_(std::move(where)),
      accepted_(std::move(accepted)),
      queue_(options) {}

response route::full() const {
    std::uint64_t seconds = 1;
    {
        const lock_guard hold(m_);
        seconds = queue_.retry_after();
    }
    auto r = response::text(503, "too many requests wait for this route\n");
    r.fields.emplace_back("Retry-After", std::to_string(seconds));
    return r;
}

namespace {
// Of a launcher that did not take a job.
unsigned status_of(const failure& why) noexcept {
    return why.code == errc::queue_full || why.code == errc::closed || why.code == errc::cancelled ? 503 : 502;
}
}  // namespace

void route::handle(const net::http::request& q, net::http::responder& r) {
    auto job = std::make_shared<route_job>(shared_from_this(), q, r.peer().host, r.defer());
    job->client_.on_cancel([weak = std::weak_ptr<route_job>(job)] {
        if (const auto j = weak.lock()) j->home().on_cancel(*j);
    });
    std::shared_ptr<route_job> dropped;
    const ns now = options_.deadline != ns{0} ? monotonic_now() : ns{0};
    auto what = route_queue::admission::refuse;
    {
        const lock_guard hold(m_);
        route_entry* oldest = nullptr;
        what = queue_.admit(*job, now, oldest);
        if (what != route_queue::admission::refuse) job->self_ = job;
        if (oldest != nullptr) dropped = std::exchange(static_cast<route_job*>(oldest)->self_, nullptr);
    }
    if (dropped) dropped->client_.send(full());
    if (what == route_queue::admission::refuse) {
        job->client_.send(full());
        return;
    }
    if (options_.deadline != ns{0}) {
        std::call_once(alarm_made_, [this] {
            alarm_ = std::make_unique<net::alarm>(net::runtime::shared(), [this](ns t) { return sweep(t); });
        });
        alarm_->ring_by(now + options_.deadline);
    }
    if (what == route_queue::admission::wait) return;
    if (const auto why = launcher_->launch(job)) {
        give_up(job, status_of(why), why.message);
        launch_ready();
    }
}

// A launcher that takes nothing must not lead from one job to the next by recursion.
void route::launch_ready() {
    for (;;) {
        std::shared_ptr<route_job> next;
        {
            const lock_guard hold(m_);
            if (auto* const e = queue_.take_next()) next = static_cast<route_job*>(e)->self_;
            if (queue_.idle()) idle_.notify_all();
        }
        if (!next) return;
        if (const auto why = launcher_->launch(next)) give_up(next, status_of(why), why.message);
    }
}

// It had a place, and its executor did not take it.
void route::give_up(const std::shared_ptr<route_job>& job, unsigned status, std::string text) {
    bool wanted = false;
    {
        const lock_guard hold(m_);
        wanted = queue_.finish(*job, status == 503 ? outcome::refused : outcome::lost, ns{0});
        job->self_.reset();
        if (queue_.idle()) idle_.notify_all();
    }
    if (job->detached) accepted_->set(job->id_, work_state::failed);
    if (wanted) job->client_.send(status == 503 ? full() : response::text(status, std::move(text) + "\n"));
}

bool route::begin(route_job& job) {
    std::shared_ptr<route_job> gone;
    {
        const lock_guard hold(m_);
        if (!queue_.begin(job, monotonic_now())) gone = std::exchange(job.self_, nullptr);
    }
    if (!gone) {
        if (job.detached) accepted_->set(job.id_, work_state::running);
        return true;
    }
    launch_ready();
    return false;
}

void route::finish(route_job& job, outcome how, response answer) {
    bool wanted = false;
    std::shared_ptr<route_job> self;
    {
        const lock_guard hold(m_);
        wanted = queue_.finish(job, how, monotonic_now()) || job.left_;
        self = std::exchange(job.self_, nullptr);
    }
    if (job.detached) accepted_->set(job.id_, how == outcome::good ? work_state::done : work_state::failed);
    if (wanted) self->client_.send(how == outcome::refused ? full() : std::move(answer));
    launch_ready();
}

std::optional<net::http::body_stream> route::stream(route_job& job, response head) {
    {
        const lock_guard hold(m_);
        if (!queue_.claim_answer(job)) return std::nullopt;
    }
    return job.client_.stream(std::move(head));
}

void route::finish_with(route_job& job, std::shared_ptr<detached_work> work) {
    const auto id = accepted_->add();
    auto later = std::make_shared<route_job>(shared_from_this(), std::move(work), id);
    auto what = route_queue::admission::refuse;
    {
        const lock_guard hold(m_);
        route_entry* dropped = nullptr;
        what = queue_.admit(*later, ns{0}, dropped);
        if (what != route_queue::admission::refuse) later->self_ = later;
    }
    if (what == route_queue::admission::refuse) {
        accepted_->remove(id);
        return finish(job, outcome::good, full());
    }
    const auto url = accepted_->path() + id;
    auto told = response::text(202, R"({"id":")" + id + R"(","status_url":")" + url + R"("})");
    told.content_type = "application/json";
    told.fields.emplace_back("Location", url);
    finish(job, outcome::good, std::move(told));
    if (what == route_queue::admission::wait) return;
    if (const auto why = launcher_->launch(later)) {
        give_up(later, status_of(why), why.message);
        launch_ready();
    }
}

void route::on_cancel(route_job& job) {
    std::shared_ptr<route_job> self;
    auto what = route_queue::cancelled::nothing;
    {
        const lock_guard hold(m_);
        const bool first = !job.answered();
        what = queue_.cancel(job);
        job.left_ = first && what == route_queue::cancelled::stop;
        self = what == route_queue::cancelled::dropped ? std::exchange(job.self_, nullptr) : job.self_;
        if (queue_.idle()) idle_.notify_all();
    }
    if (what == route_queue::cancelled::nothing) return;
    job.cancelled_.store(true, std::memory_order_release);
    if (what == route_queue::cancelled::stop) {
        launcher_->stop(job);
    } else {
        // To one that only ended its side.
        self->client_.send(response::text(503, "the client ended its side while its request waited\n"));
    }
}

ns route::sweep(ns now) {
    std::vector<std::pair<std::shared_ptr<route_job>, bool>> late;
    ns again = ns::max();
    {
        const lock_guard hold(m_);
        for (const auto& e : queue_.expire(now)) {
            auto& self = static_cast<route_job*>(e.entry)->self_;
            late.emplace_back(e.stop ? self : std::exchange(self, nullptr), e.stop);
        }
        again = queue_.next_deadline();
        if (queue_.idle()) idle_.notify_all();
    }
    for (const auto& [job, stop] : late) {
        job->client_.send(response::text(504, "the deadline of this route has passed\n"));
        job->cancelled_.store(true, std::memory_order_release);
        if (stop) launcher_->stop(*job);
    }
    return again;
}

route_counters route::stats() const {
    if (fork_generation() != generation_) return {};
    const lock_guard hold(m_);
    return queue_.counters();
}

void route::close() {
    if (fork_generation() != generation_) return;
    std::vector<std::shared_ptr<route_job>> given_up;
    {
        const lock_guard hold(m_);
        for (auto* const e : queue_.close())
            given_up.push_back(std::exchange(static_cast<route_job*>(e)->self_, nullptr));
        idle_.notify_all();
    }
    for (const auto& job : given_up) {
        if (job->detached) {
            accepted_->set(job->id_, work_state::failed);
        } else {
            job->client_.send(full());
        }
    }
}

bool route::wait_idle(ns timeout) {
    if (fork_generation() != generation_) return true;
    const ns until = monotonic_now() + timeout;
    const lock_guard hold(m_);
    while (!queue_.idle()) {
        const ns left = until - monotonic_now();
        if (left <= ns{0}) return false;
        idle_.wait_for(m_, left);
    }
    return true;
}

}  // namespace headrace::http
