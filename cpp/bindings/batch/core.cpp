#include "core.hpp"

#include <algorithm>

#include "../bridge/loop_port.hpp"
#include "../errors.hpp"
#include "../python_error.hpp"
#include "../waiting.hpp"
#include "gathering.hpp"
#include "loop_lane.hpp"
#include "python_function.hpp"
#include "tick.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

std::vector<batch_core*> alive;  // with the GIL

batch::batch_options options_of(const py::dict& d, batch::batch_options o) {
    o.max_batch_size = d["max_batch_size"].cast<std::size_t>();
    o.max_batch_weight = d["max_batch_weight"].cast<std::uint64_t>();
    o.batch_wait_timeout = to_ns(d["batch_wait_timeout_s"].cast<double>());
    o.min_concurrent_batches = d["min_concurrency"].cast<std::size_t>();
    o.max_concurrent_batches = d["max_concurrency"].cast<std::size_t>();
    o.max_queue_size = d["max_queue_size"].cast<std::size_t>();
    const auto on_full = d["on_full"].cast<std::string>();
    o.on_full = on_full == "wait"     ? full_policy::wait
                : on_full == "reject" ? full_policy::reject
                                      : full_policy::drop_oldest;
    o.rate_limit = {d["rate"].cast<double>(), std::max(1.0, d["burst"].cast<double>()),
                    d["rate_per_item"].cast<bool>()};
    return o;
}

ns limit_of(const py::dict& d, const char* name) {
    const double seconds = d[name].cast<double>();
    return seconds < 9.0e9 ? to_ns(seconds) : ns::max();
}

// The Future of close(): done when the last engine has delivered everything.
class closing final : public bridge::pending_result {
public:
    explicit closing(std::size_t engines) noexcept : left_(engines) {}
    _object* to_python() override { return Py_NewRef(Py_None); }
    void one_has_stopped() noexcept {
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish(*this);
    }

private:
    std::atomic<std::size_t> left_;
};

// What happened; what is the case now is the caller's.
void add(batch::batch_stats& sum, const batch::batch_stats& one) {
    auto& c = sum.counters;
    c.submitted += one.counters.submitted;
    c.batches += one.counters.batches;
    for (std::size_t i = 0; i < batch::reasons; ++i) c.dispatched[i] += one.counters.dispatched[i];
    c.dedupe_hits += one.counters.dedupe_hits;
    c.rejected += one.counters.rejected + one.counters.dropped;
    c.cancelled += one.counters.cancelled;
    c.timed_out += one.counters.timed_out;
    sum.sizes.merge(one.sizes);
    sum.wait.merge(one.wait);
    sum.service.merge(one.service);
}

// A request that no engine has seen.
void destroy(request& r) noexcept {
    r.release_with_gil();
    r.release_with_gil();
}

}  // namespace

batch_core::batch_core(py::object function, bool is_async, const py::dict& settings)
    : function_(std::move(function)), is_async_(is_async), process_(bridge::this_process()) {
    options_.name = settings["name"].cast<std::string>();
    options_ = options_of(settings, options_);
    throw_if(batch::check(options_));
    timeout_ = limit_of(settings, "timeout");
    dedupe_ = settings["dedupe"].cast<bool>();
    if (!settings["key"].is_none()) key_function_ = settings["key"];
    if (!settings["batch_size_fn"].is_none()) weight_function_ = settings["batch_size_fn"];
    cache_.configure(settings["cache_size"].cast<std::size_t>(), limit_of(settings, "cache_ttl"));
    std::shared_ptr<batch::batch_function> work;
    if (py::isinstance<native_function>(function_)) work = native_ = function_.cast<std::shared_ptr<native_function>>();
    if (work == nullptr && !is_async_) work = std::make_shared<python_function>(*this, function_.ptr());
    if (work != nullptr) engine_ = graph_engine(options_, std::move(work));
    alive.push_back(this);
}

batch_core::~batch_core() {
    std::erase(alive, this);
    for (auto& lane : lanes_) lane->leave_core();
    if (process_ != bridge::this_process()) engine_.leak();  // its threads stayed with the parent
}

template <class F>
void batch_core::each_engine(F&& f) const {
    if (engine_.engine != nullptr) f(*engine_.engine);
    for (const auto& lane : lanes_) f(lane->engine());
}

bool batch_core::refuse() const {
    if (process_ != bridge::this_process()) return raise(explain(batch::item_state::forked)) == nullptr;
    if (closed()) return raise(explain(batch::item_state::closed)) == nullptr;
    return false;
}

bool batch_core::give_key(request& r, bool& decided) {
    PyObject* key = key_function_ ? PyObject_CallOneArg(key_function_.ptr(), r.argument()) : Py_NewRef(r.argument());
    if (key == nullptr) return false;
    r.name = keys_.intern(key);
    Py_DECREF(key);
    if (r.name == nullptr) return false;
    if (dedupe_) r.key = r.name->number;
    if (!cache_.enabled()) return true;
    PyObject* value = nullptr;
    const int found = cache_.find(r.name->key, value);
    if (found <= 0) return found == 0;
    decided = true;
    r.set_result(value);
    r.answered_from_cache();
    cache_hits_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

bool batch_core::give_weight(request& r) {
    PyObject* weight = PyObject_CallOneArg(weight_function_.ptr(), r.argument());
    if (weight == nullptr) return false;
    const unsigned long long number = PyLong_AsUnsignedLongLong(weight);
    const bool is_wrong = PyErr_Occurred() != nullptr || number > UINT32_MAX;
    if (is_wrong) {
        PyErr_Clear();
        PyObject* text = PyObject_Repr(weight);
        const char* words = text == nullptr ? "?" : PyUnicode_AsUTF8(text);
        raise(failure::of(errc::invalid_argument, options_.name +
                                                      ": batch_size_fn must give the weight of an item, an int "
                                                      "from 0 to 2**32 - 1, not " +
                                                      (words == nullptr ? "?" : words)));
        Py_XDECREF(text);
    }
    Py_DECREF(weight);
    r.weight = static_cast<std::uint32_t>(number);
    return !is_wrong;
}

request* batch_core::prepare(PyObject* argument, const call_options& call, bool& decided) {
    request* r = native_ ? native_->make_request(*this, argument) : new request(*this, argument);
    if (r == nullptr) return nullptr;
    const bool needs_key = key_function_ || dedupe_;
    if ((needs_key && !give_key(*r, decided)) || (weight_function_ && !give_weight(*r))) {
        destroy(*r);
        return nullptr;
    }
    if (call.timeout != ns::max()) r->deadline = monotonic_now() + call.timeout;
    r->priority = call.priority;
    if (!decided) {
        r->hold = unit_hold::begin();
        r->held = static_cast<bool>(r->hold);
    }
    return r;
}

PyObject* batch_core::submit(PyObject* argument, const call_options& call) {
    if (refuse()) return nullptr;
    bool decided = false;
    request* r = prepare(argument, call, decided);
    if (r == nullptr) return nullptr;
    if (decided) bridge::pending_result::finish(*r);
    PyObject* future = bridge::make_future(r);
    if (future == nullptr || decided) return future;
    if (enter(r, r, current_loop(), call.timeout)) return future;
    r->release_with_gil();  // what would have been the engine's
    Py_DECREF(future);
    return nullptr;
}

PyObject* batch_core::map(PyObject* arguments, const call_options& call, bool errors_are_values) {
    if (refuse()) return nullptr;
    PyObject* list = PySequence_Fast(arguments, "map() argument is not iterable");
    if (list == nullptr) return nullptr;
    auto* all = new gathering(errors_are_values);
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PySequence_Fast_GET_SIZE(list); ++i) {
        bool decided = false;
        request* r = prepare(PySequence_Fast_GET_ITEM(list, i), call, decided);
        good = r != nullptr;
        if (good) all->add(*r, decided);
    }
    Py_DECREF(list);
    request* const first = all->chain();
    if (good && first == nullptr) bridge::pending_result::finish(*all);
    PyObject* future = nullptr;
    if (good) {
        future = bridge::make_future(all);
        if (future == nullptr || first == nullptr) return future;
        if (enter(first, all->chain_end(), current_loop(), call.timeout)) return future;
        Py_DECREF(future);
    } else {
        all->release_with_gil();
    }
    all->release_with_gil();
    return nullptr;
}

bool batch_core::enter(request* first, request* last, PyObject* loop, ns timeout) {
    if (loop != nullptr) return add_to_tick(*this, loop, first, last);
    if (!is_async_) return enter_from_thread(first, timeout);
    PyErr_Format(PyExc_RuntimeError,
                 "%s: there is no running event loop; an async batch function runs on the loop of those who call it",
                 options_.name.c_str());
    return false;
}

// A thread waits here for room, and looks after signals; nothing is reserved for it, so the limit may be passed by as many
// items as there are threads.
bool batch_core::enter_from_thread(request* first, ns timeout) {
    auto& engine = *engine_.engine;
    if (options_.on_full == full_policy::wait && !engine.has_room()) {
        try {
            if (!wait_for(timeout, [&](ns slice) { return engine.wait_room(slice); }))
                return raise(explain(batch::item_state::timed_out)) != nullptr;
        } catch (py::error_already_set& e) {
            e.restore();
            return false;
        }
    }
    submit_to(engine_, first);
    return true;
}

namespace {

// Not yet submitted, and decided: by a cancel between the call and the end of the turn, or because there is nowhere to go.
void finish_unsubmitted(request& r) noexcept {
    r.hold.delivered();
    auto* all = r.joined();
    if (all == nullptr) {
        bridge::pending_result::finish(r);
    } else if (all->one_is_done()) {
        bridge::pending_result::finish(*all);
    }
}

}  // namespace

void batch_core::submit_to(const graph_engine& to, request* first) noexcept {
    holds_on_the_way holds;
    batch::item* wanted = nullptr;
    batch::item** end = &wanted;
    for (batch::item* it = first; it != nullptr;) {
        auto& r = static_cast<request&>(*it);
        it = it->next;
        const bool given_up = r.joined() != nullptr ? r.joined()->cancelled() : r.cancelled();
        if (given_up) {
            finish_unsubmitted(r);
            continue;
        }
        r.engine = to.engine.get();
        holds.take(r.hold);
        *end = &r;
        end = &r.next_item();
    }
    *end = nullptr;
    if (wanted == nullptr) return;
    to.engine->submit_chain(*wanted);
    holds.entered(to.flush);
}

void batch_core::flush_tick(PyObject* loop, request* first) noexcept {
    if (first == nullptr) return;
    if (!is_async_) {
        submit_to(engine_, first);
        return;
    }
    if (auto* lane = lane_of(loop)) {
        lane->inside_engine([&] { submit_to(lane->place(), first); });
        return;
    }
    // The loop refused to be told of completions: nothing can run on it.
    PyErr_Clear();
    for (batch::item* it = first; it != nullptr;) {
        auto& r = static_cast<request&>(*it);
        it = it->next;
        r.set_failure(failure::of(errc::closed, options_.name + ": the event loop is closed"));
        finish_unsubmitted(r);
    }
}

loop_lane* batch_core::lane_of(PyObject* loop) {
    for (const auto& lane : lanes_) {
        if (lane->serves(loop)) return lane.get();
    }
    auto made = loop_lane::make(*this, loop);
    if (made == nullptr) return nullptr;
    if (closed()) made->engine().shutdown(stop_mode::drain);
    lanes_.push_back(made);
    return made.get();
}

void batch_core::forget(loop_lane& lane) noexcept {
    add(past_, lane.engine().stats());
    std::erase_if(lanes_, [&](const auto& known) { return known.get() == &lane; });
}

void batch_core::cancel(request& r) noexcept {
    if (process_ != bridge::this_process()) return;
    if (r.engine != nullptr) r.engine->cancel(r);
}

void batch_core::remember(const interned_key& name, PyObject* value) noexcept {
    if (cache_.enabled() && cache_.put(name.key, value) < 0) PyErr_WriteUnraisable(name.key);
}

void batch_core::configure(const py::dict& limits) {
    const auto changed = options_of(limits, options_);
    throw_if(batch::check(changed));
    each_engine([&](batch::engine& e) { throw_if(e.configure(changed)); });
    options_ = changed;
    timeout_ = limit_of(limits, "timeout");
}

py::dict batch_core::stats() const {
    batch::batch_stats sum = past_;
    std::size_t engines = 0;
    each_engine([&](batch::engine& e) {
        const auto one = e.stats();
        ++engines;
        add(sum, one);
        sum.waiting += one.waiting + one.waiting_for_room;
        sum.running_batches += one.running_batches;
        sum.concurrency_limit += one.concurrency_limit;
        sum.tokens += one.tokens;
    });
    py::dict reasons;
    for (std::size_t i = 0; i < batch::reasons; ++i)
        reasons[batch::name_of(static_cast<batch::reason>(i))] = sum.counters.dispatched[i];
    py::dict d;
    d["depth"] = sum.waiting;
    d["running"] = sum.running_batches;
    d["concurrency"] = engines == 0 ? options_.min_concurrent_batches : sum.concurrency_limit;
    d["min_concurrency"] = options_.min_concurrent_batches;
    d["max_concurrency"] = options_.max_concurrent_batches;
    d["saturation"] = sum.concurrency_limit == 0 ? 0.0 : double(sum.running_batches) / double(sum.concurrency_limit);
    d["tokens"] = options_.rate_limit.rate == 0.0 ? HUGE_VAL : engines == 0 ? options_.rate_limit.burst : sum.tokens;
    d["submitted"] = sum.counters.submitted + cache_hits_.load();
    d["completed"] = completed_.load() + cache_hits_.load();
    d["failed"] = failed_.load();
    d["batches"] = sum.counters.batches;
    d["reasons"] = reasons;
    d["dedupe_hits"] = sum.counters.dedupe_hits;
    d["cache_hits"] = cache_hits_.load();
    d["rejects"] = sum.counters.rejected;
    d["cancels"] = sum.counters.cancelled;
    d["deadline_misses"] = sum.counters.timed_out;
    d["batch_size"] = py::bytes(sum.sizes.encode());
    d["wait"] = py::bytes(sum.wait.encode());
    d["service"] = py::bytes(sum.service.encode());
    return d;
}

PyObject* batch_core::close(bool cancel_waiting) {
    if (process_ != bridge::this_process()) return refuse() ? nullptr : nullptr;
    closed_.store(true);
    std::vector<std::shared_ptr<loop_lane>> lanes = lanes_;
    const std::size_t engines = lanes.size() + (engine_.engine != nullptr ? 1 : 0);
    auto* done = new closing(engines == 0 ? 1 : engines);
    PyObject* future = bridge::make_future(done);
    if (future == nullptr) return nullptr;
    const auto mode = cancel_waiting ? stop_mode::cancel : stop_mode::drain;
    const auto stopped = [done] { done->one_has_stopped(); };
    if (engines == 0) done->one_has_stopped();
    if (engine_.engine != nullptr) engine_.engine->shutdown(mode, stopped);
    for (auto& lane : lanes) lane->shutdown(mode, stopped);
    return future;
}

int batch_core::traverse(visitproc visit, void* arg) const {
    Py_VISIT(function_.ptr());
    Py_VISIT(key_function_.ptr());
    Py_VISIT(weight_function_.ptr());
    return 0;
}

void batch_core::abandon() noexcept {
    if (process_ != bridge::this_process() || closed_.exchange(true)) return;
    each_engine([](batch::engine& e) { e.shutdown(stop_mode::drain); });
}

void batch_core::stop_all() noexcept {
    for (auto* core : alive) {
        core->closed_.store(true);
        if (core->process_ == bridge::this_process())
            core->each_engine([](batch::engine& e) { e.shutdown(stop_mode::cancel); });
    }
}

}  // namespace headrace::bindings
