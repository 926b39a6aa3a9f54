#include "loop_launcher.hpp"

#include <utility>

#include "../bridge/future.hpp"
#include "../python_error.hpp"
#include "loop_stream.hpp"
#include "python_half.hpp"
#include "python_route.hpp"

namespace py = pybind11;

namespace headrace::bindings {

using outcome = http::route::outcome;
using net::http::response;

// What runs for a job at the moment, for whoever wants it stopped.
struct loop_launcher::control {
    mutex m;
    loop_job* current HEADRACE_GUARDED_BY(m) = nullptr;  // counted

    ~control() { set(nullptr); }
    void set(loop_job* job) {
        if (job != nullptr) job->keep();
        loop_job* before = nullptr;
        {
            const lock_guard hold(m);
            before = std::exchange(current, job);
        }
        if (before != nullptr) before->release();
    }
    loop_job* get() {
        const lock_guard hold(m);
        if (current != nullptr) current->keep();
        return current;
    }
};

namespace {

bool ended_by_cancel() {
    return PyErr_ExceptionMatches(half().cancelled_error) != 0;
}

// What the coroutine of a job raised, or its loop's end.
void finish_raised(http::route_job& job) {
    if (!ended_by_cancel()) return job.home().finish(job, outcome::raised, answer_raised(job.home().name()));
    PyErr_Clear();
    const bool asked = job.cancelled().load();
    job.home().finish(job, asked ? outcome::good : outcome::raised,
                      response::text(503, asked ? "the request was cancelled\n" : "the server is shutting down\n"));
}

}  // namespace

// The rest of a streamed answer.
class loop_launcher::streaming final : public loop_job {
public:
    streaming(std::shared_ptr<http::route_job> job, answer a) : job_(std::move(job)), answer_(std::move(a)) {}
    PyObject* begin() override {
        auto out = job_->home().stream(*job_, std::move(answer_.head));
        PyObject* const stream = make_loop_stream(std::move(out));
        PyObject* const coroutine =
            stream == nullptr ? nullptr
                              : PyObject_CallFunctionObjArgs(half().stream_to, stream, answer_.rest.get(), nullptr);
        Py_XDECREF(stream);
        return coroutine;
    }
    void done(PyObject* result) noexcept override {
        const auto job = std::move(job_);
        const bool cancelled = result == nullptr && ended_by_cancel();
        if (cancelled) PyErr_Clear();
        if (result == nullptr && !cancelled) static_cast<void>(answer_raised(job->home().name()));
        job->set_launched(nullptr);
        job->home().finish(*job, result != nullptr || cancelled ? outcome::good : outcome::raised);
    }
    void on_cancel() noexcept override {
        const auto job = std::move(job_);
        job->home().finish(*job, outcome::raised, response::text(503, "the server is shutting down\n"));
    }

private:
    ~streaming() override = default;
    std::shared_ptr<http::route_job> job_;
    answer answer_;
};

class loop_launcher::run final : public loop_job {
public:
    run(std::shared_ptr<http::route_job> job, std::shared_ptr<loop_inbox> inbox, std::shared_ptr<control> who)
        : job_(std::move(job)), inbox_(std::move(inbox)), control_(std::move(who)) {}

    PyObject* begin() override {
        if (!job_->home().begin(*job_)) {
            left_ = true;
            PyErr_SetNone(half().cancelled_error);
            return nullptr;
        }
        if (job_->detached)
            return PyObject_CallOneArg(half().run_accepted, static_cast<const python_work&>(*job_->work()).accepted());
        PyObject* const request = request_of(job_);
        PyObject* const coroutine =
            request == nullptr ? nullptr : PyObject_CallOneArg(route_of(*job_).handler(), request);
        Py_XDECREF(request);
        return coroutine;
    }

    void done(PyObject* result) noexcept override {
        control_->set(nullptr);
        const auto job = std::move(job_);
        if (left_) return PyErr_Clear();
        if (result == nullptr) return finish_raised(*job);
        if (job->detached) return job->home().finish(*job, outcome::good);
        answer a;
        if (!to_answer(result, a)) return finish_raised(*job);
        if (a.what == answer::kind::whole) return job->home().finish(*job, outcome::good, std::move(a.head));
        if (a.what == answer::kind::accepted)
            return job->home().finish_with(*job, std::make_shared<python_work>(std::move(a.rest)));
        stream(job, std::move(a));
    }
    void on_cancel() noexcept override {
        const auto job = std::move(job_);
        control_->set(nullptr);
        if (job->home().begin(*job))
            job->home().finish(*job, outcome::raised, response::text(503, "the server is shutting down\n"));
    }

private:
    ~run() override = default;
    void stream(const std::shared_ptr<http::route_job>& job, answer a) {
        auto* const rest = new streaming(job, std::move(a));
        control_->set(rest);
        if (inbox_->post(*rest)) return;
        rest->on_cancel();
        control_->set(nullptr);
        rest->release_with_gil();
    }

    std::shared_ptr<http::route_job> job_;
    const std::shared_ptr<loop_inbox> inbox_;
    const std::shared_ptr<control> control_;
    bool left_ = false;
};

failure loop_launcher::launch(const std::shared_ptr<http::route_job>& job) {
    const auto who = std::make_shared<control>();
    auto* const r = new run(job, inbox_, who);
    who->set(r);
    job->set_launched(who);
    if (inbox_->post(*r)) return {};
    who->set(nullptr);
    job->set_launched(nullptr);
    r->release();
    return failure::of(errc::closed, "the event loop of the app has ended");
}

void loop_launcher::stop(http::route_job& job) noexcept {
    const auto who = std::static_pointer_cast<control>(job.launched());
    loop_job* const running = who ? who->get() : nullptr;
    if (running == nullptr) return;
    inbox_->cancel(*running);
    running->release();
}

}  // namespace headrace::bindings
