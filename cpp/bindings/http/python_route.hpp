// A route whose handler is a Python function, and the run of one of its jobs on the thread that calls.
// Threads:  run_job() on a thread of an executor, with the GIL held; it lets go of it where it waits.
// Lifetime: a job under way holds its route.
// Errors:   what a handler raises is answered 500 and logged; nothing gets out.
#pragma once

#include <headrace/http/route.hpp>

#include "answer.hpp"
#include "held_object.hpp"

namespace headrace::bindings {

class python_route final : public http::route {
public:
    python_route(std::string name, const http::route_options& options, std::shared_ptr<http::launcher> where,
                 std::shared_ptr<http::accepted_table> accepted, held_object handler)
        : route(std::move(name), options, std::move(where), std::move(accepted)), handler_(std::move(handler)) {}
    PyObject* handler() const noexcept { return handler_.get(); }

private:
    const held_object handler_;
};

inline python_route& route_of(const http::route_job& job) {
    return static_cast<python_route&>(job.home());
}

/// A function and its arguments, to be called after the answer.
class python_work final : public http::detached_work {
public:
    explicit python_work(held_object accepted) : accepted_(std::move(accepted)) {}
    PyObject* accepted() const noexcept { return accepted_.get(); }

private:
    const held_object accepted_;
};

/// A new reference; null with an error set.
PyObject* request_of(const std::shared_ptr<http::route_job>& job);
void run_job(const std::shared_ptr<http::route_job>& job);
/// A handler has returned `result`, or raised (null): answers, and finishes the job. Takes the reference.
void finish_job(const std::shared_ptr<http::route_job>& job, PyObject* result);

}  // namespace headrace::bindings
