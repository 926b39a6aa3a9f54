#include "python_route.hpp"

#include "request_type.hpp"
#include "streaming.hpp"

namespace headrace::bindings {

using outcome = http::route::outcome;

PyObject* request_of(const std::shared_ptr<http::route_job>& job) {
    const auto& q = job->request();
    return make_request({&q.head(), q.body(), q.params(), job->peer(), nullptr, &job->cancelled(), job});
}

namespace {

void run_detached(http::route_job& job) {
    PyObject* const accepted = static_cast<const python_work&>(*job.work()).accepted();
    PyObject* const done = PyObject_CallMethod(accepted, "run", nullptr);
    if (done == nullptr) static_cast<void>(answer_raised(job.home().name()));
    Py_XDECREF(done);
    job.home().finish(job, done != nullptr ? outcome::good : outcome::raised);
}

void finish_raised(http::route_job& job) {
    job.home().finish(job, outcome::raised, answer_raised(job.home().name()));
}

}  // namespace

void run_job(const std::shared_ptr<http::route_job>& job) {
    if (!job->home().begin(*job)) return;
    if (job->detached) return run_detached(*job);
    PyObject* const request = request_of(job);
    PyObject* const result = request == nullptr ? nullptr : PyObject_CallOneArg(route_of(*job).handler(), request);
    Py_XDECREF(request);
    finish_job(job, result);
}

void finish_job(const std::shared_ptr<http::route_job>& job, PyObject* result) {
    auto& home = job->home();
    answer a;
    const bool good = result != nullptr && to_answer(result, a);
    Py_XDECREF(result);
    if (!good) return finish_raised(*job);
    switch (a.what) {
        case answer::kind::whole: return home.finish(*job, outcome::good, std::move(a.head));
        case answer::kind::accepted: return home.finish_with(*job, std::make_shared<python_work>(std::move(a.rest)));
        case answer::kind::stream: {
            const bool whole = stream_here(*job, std::move(a));
            return home.finish(*job, whole ? outcome::good : outcome::raised);
        }
        case answer::kind::async_stream:
            PyErr_SetString(PyExc_TypeError, "an async generator needs a route with executor=\"asyncio\"");
            return finish_raised(*job);
    }
}

}  // namespace headrace::bindings
