#include "request.hpp"

#include "../python_error.hpp"
#include "core.hpp"
#include "gathering.hpp"

namespace headrace::bindings {
namespace {

class delivery final : public batch::sink {
public:
    void deliver(batch::item* chain) noexcept override {
        bridge::pending_result* first = nullptr;
        bridge::pending_result** end = &first;
        auto& core = static_cast<request*>(chain)->core();  // an engine serves one batcher
        std::uint64_t completed = 0;
        std::uint64_t failed = 0;
        for (auto* it = chain; it != nullptr;) {
            auto& r = static_cast<request&>(*it);
            it = it->next;
            ++(r.error() || r.has_failed() ? failed : completed);
            r.hold.delivered();
            // Decided early (cancelled, late): its batch may still read it, and lets go in recycle().
            if (r.state() != batch::item_state::done) {
                r.keep();
                if (r.drop()) r.release();
            }
            bridge::pending_result* done = &r;
            if (auto* g = r.joined()) done = g->one_is_done() ? g : nullptr;
            if (done == nullptr) continue;
            *end = done;
            end = &done->next;
        }
        *end = nullptr;
        core.count(completed, failed);
        bridge::pending_result::finish_chain(first);
    }
    void recycle(batch::item& it) noexcept override { static_cast<request&>(it).release(); }
};

}  // namespace

batch::sink& request_sink() noexcept {
    static delivery d;
    return d;
}

request::request(batch_core& core, PyObject* argument) noexcept
    : pending_result(destruction::with_gil), core_(core), argument_(Py_NewRef(argument)) {
    core_.retain();
    item::sink = &request_sink();
}

request::~request() {
    if (name != nullptr) core_.keys().drop(*name);
    if (leader_ != nullptr) leader_->release_with_gil();
    Py_DECREF(argument_);
    Py_XDECREF(outcome_);
    core_.release();
}

void request::share(request& leader) noexcept {
    leader.keep();
    leader_ = &leader;
}

// What the batch function gave, whatever became of this very waiter.
PyObject* request::value() {
    if (leader_ != nullptr) return leader_->value();
    if (failure_) return raise(*failure_);
    if (outcome_ == nullptr) return native_result();
    if (!raised_) return Py_NewRef(outcome_);
    return raise_stolen(Py_NewRef(outcome_));
}

PyObject* request::native_result() {
    return raise(failure::of(errc::cancelled, core_.name() + ": the batch ended without a result"));
}

_object* request::to_python() {
    if (error()) return raise(core_.explain(state()));
    PyObject* got = value();
    if (got != nullptr && name != nullptr && !cached_) core_.remember(*name, got);
    return got;
}

void request::on_cancel() noexcept {
    core_.cancel(*this);
}

}  // namespace headrace::bindings
