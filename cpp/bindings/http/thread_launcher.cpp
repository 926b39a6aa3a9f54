#include "thread_launcher.hpp"

#include <pybind11/pybind11.h>

#include <optional>
#include <utility>

#include "../kept_thread_state.hpp"
#include "python_route.hpp"

namespace py = pybind11;

namespace headrace::bindings {

struct thread_launcher::shared {
    explicit shared(std::size_t n) : threads(n) {}
    const std::size_t threads;
    mutex m;
    std::deque<std::shared_ptr<http::route_job>> ready HEADRACE_GUARDED_BY(m);
    std::size_t runners HEADRACE_GUARDED_BY(m) = 0;
    std::size_t searching HEADRACE_GUARDED_BY(m) = 0;  // on their way, without a job yet
    bool closed HEADRACE_GUARDED_BY(m) = false;

    bool wants_runner() HEADRACE_REQUIRES(m) {
        if (ready.empty() || searching != 0 || runners >= threads) return false;
        ++runners;
        ++searching;
        return true;
    }
};

namespace {
thread_local const void* running_for =
    nullptr;  // the launcher whose runner this thread is, with no job of its own left
}

class thread_launcher::runner final : public exec::task {
public:
    runner(std::shared_ptr<shared> s, exec::thread_pool& pool) : shared_(std::move(s)), pool_(pool) {}
    void run() noexcept override {
        work();
        delete this;
    }
    void refused(const failure&) noexcept override {
        {
            const lock_guard hold(shared_->m);
            --shared_->runners;
            --shared_->searching;
        }
        delete this;
    }
    static void start(const std::shared_ptr<shared>& s, exec::thread_pool& pool) {
        auto* const r = new runner(s, pool);
        // The pool has room for every runner; it is refused only where the system starts no thread at all.
        if (pool.submit(*r)) r->refused({});
    }

private:
    void work() {
        auto job = next(true);
        if (!job) return;
        std::optional<with_gil> gil(std::in_place);
        running_for = shared_.get();
        while (job) {
            run_job(job);
            job.reset();
            job = next(false);
        }
        running_for = nullptr;
    }
    // The first time without the GIL, then with it: the lock is a leaf.
    std::shared_ptr<http::route_job> next(bool first) {
        std::shared_ptr<http::route_job> job;
        bool more = false;
        {
            const lock_guard hold(shared_->m);
            if (first) --shared_->searching;
            if (shared_->ready.empty()) {
                --shared_->runners;
                return nullptr;
            }
            job = std::move(shared_->ready.front());
            shared_->ready.pop_front();
            more = shared_->wants_runner();
        }
        if (more) start(shared_, pool_);
        return job;
    }

    const std::shared_ptr<shared> shared_;
    exec::thread_pool& pool_;  // ends after its tasks
};

thread_launcher::thread_launcher(std::size_t threads, const std::string& name)
    : shared_(std::make_shared<shared>(threads)),
      pool_(std::make_unique<exec::thread_pool>(
          exec::thread_pool_options{.threads = threads, .max_queue_size = 1'000'000, .spin = ns{0}, .name = name})) {}

thread_launcher::~thread_launcher() {
    if (PyGILState_Check() == 0) {
        pool_.reset();
    } else {
        const py::gil_scoped_release nogil;
        pool_.reset();
    }
}

failure thread_launcher::launch(const std::shared_ptr<http::route_job>& job) {
    if (generation_ != fork_generation()) return failure::of(errc::forked, "this app was started before fork()");
    bool start = false;
    {
        const lock_guard hold(shared_->m);
        if (shared_->closed) return failure::of(errc::closed, "the app was closed");
        shared_->ready.push_back(job);
        // A thread of ours that just ended a job takes it next.
        if (running_for != shared_.get() || shared_->ready.size() > 1) start = shared_->wants_runner();
    }
    if (start) runner::start(shared_, *pool_);
    return {};
}

void thread_launcher::close() {
    if (generation_ != fork_generation()) return;
    const lock_guard hold(shared_->m);
    shared_->closed = true;
}

bool thread_launcher::wait_closed(ns timeout) {
    if (generation_ != fork_generation()) return true;
    return pool_->shutdown(stop_mode::drain, timeout);
}

}  // namespace headrace::bindings
