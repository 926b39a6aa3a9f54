#include "site.hpp"

#include <headrace/net/websocket_handshake.hpp>

#include "../python_error.hpp"
#include "http_cycle.hpp"
#include "websocket_cycle.hpp"

namespace headrace::bindings::asgi {
namespace {
constexpr int most_gathered = 32;  // requests whose answers wait for each other
}

site::site(std::shared_ptr<loop_inbox> of_loop, parts given) noexcept
    : pending_result(destruction::with_gil, role::errand), inbox(std::move(of_loop)), own(std::move(given)) {
    for (PyObject* o :
         {own.application, own.http_scope, own.websocket_scope, own.state, own.report, own.disconnected}) {
        Py_INCREF(o);
    }
}

site::~site() {
    for (PyObject* o :
         {own.application, own.http_scope, own.websocket_scope, own.state, own.report, own.disconnected}) {
        Py_DECREF(o);
    }
}

void site::handle(const net::http::request& q, net::http::responder& r) {
    if (!net::websocket::wants_websocket(q.head)) return begin(*new http_cycle(*this, q, r));
    if (net::websocket::check_handshake(q.head)) {
        r.accept_websocket(nullptr, {});  // answers what is wrong with it
        return;
    }
    begin(*new websocket_cycle(*this, q, r));
}

template <class Cycle>
void site::begin(Cycle& cycle) {
    const auto limit = own.limit_concurrency;
    const bool busy = limit != 0 && running.load(std::memory_order_relaxed) > limit;
    if (!busy && inbox->post(cycle)) return;
    cycle.refuse(503, busy ? "too many requests at once\n" : "the application has ended\n");
    cycle.release();
}

// Inside the drain of the loop the tick's end is the end of what came together.
void site::gather_answers() {
    if (burst_) {
        if (++gathered_ < most_gathered) return;
        gathered_ = 0;
        net::http::answer_burst::flush();
        return;
    }
    gathered_ = 0;
    if (bridge::at_tick_end(*this)) {
        burst_.emplace();
    } else {
        PyErr_Clear();  // then each leaves by itself
    }
}

void site::report(const char* what, std::string_view method, std::string_view path) {
    PyObject* error = take_error();
    PyObject* text = PyUnicode_FromFormat("%s", what);
    PyObject* where = PyUnicode_DecodeLatin1(path.data(), static_cast<Py_ssize_t>(path.size()), nullptr);
    PyObject* verb = PyUnicode_DecodeLatin1(method.data(), static_cast<Py_ssize_t>(method.size()), nullptr);
    PyObject* done = nullptr;
    if (text != nullptr && where != nullptr && verb != nullptr) {
        done = PyObject_CallFunctionObjArgs(own.report, text, verb, where, error == nullptr ? Py_None : error, nullptr);
    }
    if (done == nullptr) PyErr_WriteUnraisable(own.report);
    for (PyObject* o : {error, text, where, verb, done}) Py_XDECREF(o);
}

}  // namespace headrace::bindings::asgi
