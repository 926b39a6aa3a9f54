#include "thread_engine.hpp"

#include <algorithm>

#include "../errors.hpp"
#include "../kept_thread_state.hpp"
#include "../python_error.hpp"
#include "executor_object.hpp"

namespace py = pybind11;

namespace headrace::bindings {

thread_call::thread_call(std::shared_ptr<thread_engine> engine, PyObject* function, PyObject* args, PyObject* kwargs)
    : engine_(std::move(engine)), function_(function), args_(args), kwargs_(kwargs) {}

thread_call::~thread_call() {
    Py_XDECREF(function_);
    Py_XDECREF(args_);
    Py_XDECREF(kwargs_);
    Py_XDECREF(result_);
    Py_XDECREF(exception_);
}

bool thread_call::wait(ns timeout) noexcept {
    const ns until = timeout < ns::max() - monotonic_now() ? monotonic_now() + timeout : ns::max();
    while (!word_.settled()) {
        const ns left = until - monotonic_now();
        if (left <= ns{0}) return false;
        word_.sleep(left);
    }
    return true;
}

bool thread_call::cancel() noexcept {
    if (!engine_->withdraw(*this)) return state() == call_state::cancelled;
    end(call_state::cancelled);
    const py::gil_scoped_acquire gil;  // the queue's reference may be the last but ours
    release();
    return true;
}

PyObject* thread_call::take() {
    if (why_) return raise_failure(why_);
    if (exception_ == nullptr) return std::exchange(result_, nullptr);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception_)), exception_);
    Py_CLEAR(exception_);
    return nullptr;
}

void thread_call::run(PyObject* not_set_up) {
    PyObject* result = nullptr;
    if (not_set_up == nullptr) {
        result = PyObject_Call(function_, args_, kwargs_);
    } else {
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(not_set_up)), not_set_up);
    }
    if (result == nullptr) exception_ = take_error();
    result_ = result;
    Py_CLEAR(function_);
    Py_CLEAR(args_);
    Py_CLEAR(kwargs_);
    state_.store(call_state::finished, std::memory_order_release);
    word_.settle();
    tell_here();
}

void thread_call::refuse(failure why) noexcept {
    why_ = std::move(why);
    end(call_state::finished);
}

void thread_call::end(call_state as) noexcept {
    state_.store(as, std::memory_order_release);
    word_.settle();
    tell();
}

void call_queue::push(thread_call& c) noexcept {
    c.previous_ = last_;
    c.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &c;
    last_ = &c;
    c.queued_ = true;
    ++size_;
}

thread_call* call_queue::pop() noexcept {
    thread_call* const c = first_;
    if (c != nullptr) remove(*c);
    return c;
}

void call_queue::remove(thread_call& c) noexcept {
    (c.previous_ != nullptr ? c.previous_->next_ : first_) = c.next_;
    (c.next_ != nullptr ? c.next_->previous_ : last_) = c.previous_;
    c.queued_ = false;
    --size_;
}

class thread_engine::runner final : public exec::task {
public:
    explicit runner(std::shared_ptr<thread_engine> engine) : engine_(std::move(engine)) {}
    void run() noexcept override {
        engine_->work();
        delete this;
    }
    void refused(const failure&) noexcept override { delete this; }

private:
    std::shared_ptr<thread_engine> engine_;
};

thread_engine::thread_engine(const options& o)
    : threads_(o.threads), max_queue_size_(o.max_queue_size), name_(o.name), set_up_(o.set_up) {
    pool_ = std::make_unique<exec::thread_pool>(
        exec::thread_pool_options{.threads = threads_, .max_queue_size = 1'000'000, .spin = ns{0}, .name = name_});
}

thread_engine::~thread_engine() {
    if (forked()) return;
    if (set_up_ != nullptr || !buried_.empty()) {
        const py::gil_scoped_acquire gil;
        Py_XDECREF(set_up_);
        for (auto* c : buried_) c->release();
    }
    if (PyGILState_Check() == 0) {
        stop_threads();
    } else {
        const py::gil_scoped_release nogil;
        stop_threads();
    }
}

void thread_engine::stop_threads() {
    alarm_.reset();
    pool_.reset();
}

bool thread_engine::wants_runner() {
    if (queue_.size() == 0 || searching_ != 0 || runners_ >= threads_) return false;
    ++searching_;
    ++runners_;
    return true;
}

void thread_engine::start_runner() {
    auto* r = new runner(shared_from_this());
    // Threads are there for every runner; it is refused only where the system starts no thread at all.
    if (!pool_->submit(*r)) return;
    delete r;
    const lock_guard hold(m_);
    --searching_;
    --runners_;
}

failure thread_engine::submit(thread_call& c) {
    if (forked()) return failure::of(errc::forked, name_ + ": was made before fork(); make a new one in the child");
    bool start = false;
    {
        const lock_guard hold(m_);
        if (closed_) return failure::of(errc::closed, name_ + ": shut down, takes no new calls");
        if (queue_.size() >= max_queue_size_) return failure::of(errc::queue_full, name_ + ": the queue is full");
        queue_.push(c);
        ++counters_.submitted;
        start = wants_runner();
    }
    if (start) start_runner();
    if (c.deadline != ns::max()) {
        std::call_once(alarm_made_, [this] {
            alarm_ = std::make_unique<net::alarm>(net::runtime::shared(), [this](ns now) { return sweep(now); });
        });
        alarm_->ring_by(c.deadline);
    }
    return {};
}

// On the I/O thread, without the GIL: calls that no thread gets to still keep their deadline.
ns thread_engine::sweep(ns now) {
    std::vector<thread_call*> late;
    ns again = ns::max();
    {
        const lock_guard hold(m_);
        for (thread_call *c = queue_.first(), *after = nullptr; c != nullptr; c = after) {
            after = call_queue::after(*c);
            if (c->deadline > now) {
                again = std::min(again, c->deadline);
                continue;
            }
            queue_.remove(*c);
            ++counters_.timed_out;
            c->retain();
            late.push_back(c);
            buried_.push_back(c);
        }
        if (!late.empty() && waiting_for_room_ != 0) room_.notify_all();
        if (again != ns::max()) again = std::max(again, now + std::chrono::milliseconds{1});
    }
    for (auto* c : late) c->refuse(failure::of(errc::timed_out, name_ + ": no thread before the deadline"));
    const lock_guard hold(m_);
    buried_.insert(buried_.end(), late.begin(), late.end());  // our own references
    idle_.notify_all();
    return again;
}

// With the GIL.
void thread_engine::free_buried() {
    std::vector<thread_call*> gone;
    {
        const lock_guard hold(m_);
        gone.swap(buried_);
    }
    for (auto* c : gone) c->release();
}

bool thread_engine::withdraw(thread_call& c) {
    if (forked()) return false;
    const lock_guard hold(m_);
    if (!c.queued_) return false;
    queue_.remove(c);
    ++counters_.cancelled;
    if (waiting_for_room_ != 0) room_.notify_one();
    idle_.notify_all();
    return true;
}

bool thread_engine::wait_room(ns timeout) {
    const ns until = monotonic_now() + timeout;
    const lock_guard hold(m_);
    while (queue_.size() >= max_queue_size_ && !closed_) {
        const ns left = until - monotonic_now();
        if (left <= ns{0}) return false;
        ++waiting_for_room_;
        room_.wait_for(m_, left);
        --waiting_for_room_;
    }
    return true;
}

void thread_engine::work() {
    thread_call* c = next(true);
    if (c == nullptr) return;
    const with_gil gil;
    while (c != nullptr) {
        run_one(*c);
        c = next(false);
    }
    free_buried();
}

// The first time without the GIL, then with it: the lock is a leaf.
thread_call* thread_engine::next(bool first) {
    thread_call* c = nullptr;
    bool more = false;
    {
        const lock_guard hold(m_);
        if (first) --searching_;
        if (!first) --running_;
        c = queue_.pop();
        if (c == nullptr) {
            --runners_;
            idle_.notify_all();
            return nullptr;
        }
        c->state_.store(call_state::running, std::memory_order_release);
        ++running_;
        more = first && wants_runner();
        if (waiting_for_room_ != 0) room_.notify_one();
    }
    if (more) start_runner();
    return c;
}

void thread_engine::run_one(thread_call& c) {
    if (c.deadline <= monotonic_now()) {
        c.refuse(failure::of(errc::timed_out, name_ + ": no thread before the deadline"));
        const lock_guard hold(m_);
        ++counters_.timed_out;
    } else {
        c.run(set_up_ == nullptr ? nullptr : set_up_thread());
        const lock_guard hold(m_);
        ++counters_.completed;
    }
    c.release();
}

// Once per thread; what it raised, or null. Borrowed.
PyObject* thread_engine::set_up_thread() {
    static thread_local bool is_set_up = false;
    static thread_local PyObject* error = nullptr;  // kept: every call of this thread raises it
    if (std::exchange(is_set_up, true)) return error;
    PyObject* const done = PyObject_CallNoArgs(set_up_);
    if (done == nullptr) error = take_error();
    Py_XDECREF(done);
    return error;
}

void thread_engine::close(stop_mode mode) {
    if (forked()) return;
    std::vector<thread_call*> given_up;
    {
        const lock_guard hold(m_);
        closed_ = true;
        while (mode == stop_mode::cancel && queue_.size() != 0) {
            given_up.push_back(queue_.pop());
            ++counters_.cancelled;
        }
        room_.notify_all();
        idle_.notify_all();
    }
    for (auto* c : given_up) {
        c->end(call_state::cancelled);
        c->release();
    }
}

bool thread_engine::wait_closed(ns timeout) {
    if (forked()) return true;
    const ns until = monotonic_now() + timeout;
    {
        const lock_guard hold(m_);
        while (queue_.size() != 0 || runners_ != 0) {
            const ns left = until - monotonic_now();
            if (left <= ns{0}) return false;
            idle_.wait_for(m_, left);
        }
    }
    return pool_->shutdown(stop_mode::drain, std::max(until - monotonic_now(), ns{0}));
}

bool thread_engine::closed() const {
    if (forked()) return true;
    const lock_guard hold(m_);
    return closed_;
}

thread_engine_stats thread_engine::stats() const {
    if (forked()) return {};
    const lock_guard hold(m_);
    auto now = counters_;
    now.waiting = queue_.size();
    now.running = running_;
    now.threads = pool_->stats().threads;
    return now;
}

}  // namespace headrace::bindings
