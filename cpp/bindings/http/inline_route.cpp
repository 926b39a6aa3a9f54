#include "inline_route.hpp"

#include "../kept_thread_state.hpp"
#include "answer.hpp"
#include "request_type.hpp"
#include "streaming.hpp"

namespace headrace::bindings {

using net::http::response;

void inline_route::handle(const net::http::request& q, net::http::responder& r) {
    add(requests);
    const ns began = deadline_ == ns{0} ? ns{0} : monotonic_now();
    const with_gil gil;
    PyObject* const request = make_request({&q.head, q.body, q.params, {}, &r, nullptr, nullptr});
    PyObject* const result = request == nullptr ? nullptr : PyObject_CallOneArg(handler_.get(), request);
    add(finished);
    answer_with(result, r, deadline_ != ns{0} && monotonic_now() - began > deadline_);
    Py_XDECREF(result);
    if (request != nullptr) detach_request(request);
}

void inline_route::answer_with(PyObject* result, net::http::responder& r, bool late) {
    if (result == nullptr) return answer_error(r);
    if (late) {
        add(timed_out);
        return r.send(response::text(504, "the deadline of this route has passed\n"));
    }
    std::string_view type, content;
    PyObject* owner = nullptr;
    if (!view_of(result, type, content, owner)) {
        return PyErr_Occurred() != nullptr ? answer_error(r) : answer_rare(result, r);
    }
    r.send(200, type, content);
    Py_XDECREF(owner);
    add(replied);
}

void inline_route::answer_rare(PyObject* result, net::http::responder& r) {
    answer a;
    if (!to_answer(result, a)) return answer_error(r);
    switch (a.what) {
        case answer::kind::whole: add(replied); return r.send(std::move(a.head));
        case answer::kind::stream:
            return stream_later(r.defer(), name_, std::move(a),
                                [self = shared_from_this()](bool whole) { self->add(whole ? replied : failed); });
        case answer::kind::accepted:
            PyErr_SetString(PyExc_TypeError,
                            "an inline route has no executor for Accepted work; use executor=\"thread\"");
            return answer_error(r);
        case answer::kind::async_stream:
            PyErr_SetString(PyExc_TypeError, "an async generator needs a route with executor=\"asyncio\"");
            return answer_error(r);
    }
}

void inline_route::answer_error(net::http::responder& r) {
    add(failed);
    add(replied);
    r.send(answer_raised(name_));
}

http::route_counters inline_route::stats() const {
    http::route_counters c;
    const auto get = [this](counted what) { return counters_[what].load(std::memory_order_relaxed); };
    c.requests = get(requests);
    c.replied = get(replied);
    c.finished = get(finished);
    c.failed = get(failed);
    c.timed_out = get(timed_out);
    return c;
}

}  // namespace headrace::bindings
