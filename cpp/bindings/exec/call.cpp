#include "call.hpp"

#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/base/thread_setup.hpp>
#include <memory>
#include <thread>

#include "../kept_thread_state.hpp"

namespace headrace::bindings {
namespace {

// One thread, started when the first watched call is done. Never destroyed: engine threads may come late.
class delivery {
public:
    void add(call& c) {
        c.retain();
        const lock_guard hold(m_);
        if (stopped_) return c.release();
        c.next_delivered = nullptr;
        (first_ == nullptr ? first_ : last_->next_delivered) = &c;
        last_ = &c;
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
        some_.notify_one();
    }
    void stop() {
        {
            const lock_guard hold(m_);
            stopped_ = true;
            some_.notify_one();
        }
        if (thread_.joinable()) thread_.join();
    }

private:
    void run() {
        set_up_thread("headrace-futures");
        for (;;) {
            call* chain = nullptr;
            {
                const lock_guard hold(m_);
                while (first_ == nullptr && !stopped_) some_.wait(m_);
                if (stopped_) return;
                chain = std::exchange(first_, nullptr);
            }
            const with_gil gil;
            while (chain != nullptr) {
                call* const c = std::exchange(chain, chain->next_delivered);
                deliver(*c);
                c->release();
            }
        }
    }
    mutex m_;
    condition some_;
    call* first_ HEADRACE_GUARDED_BY(m_) = nullptr;
    call* last_ HEADRACE_GUARDED_BY(m_) = nullptr;
    bool stopped_ HEADRACE_GUARDED_BY(m_) = false;
    std::thread thread_;  // made under the lock, joined by stop() alone
};

// A child of a fork has its own: the parent's thread is not there, and its lock may be held for ever.
delivery& of_this_process() {
    static std::atomic<delivery*> made{nullptr};
    static std::atomic<std::uint32_t> generation{0};
    static std::atomic_flag making = ATOMIC_FLAG_INIT;
    for (;;) {
        if (delivery* const d = made.load(std::memory_order_acquire);
            d != nullptr && generation.load() == fork_generation())
            return *d;
        if (making.test_and_set()) continue;
        generation.store(fork_generation());
        made.store(new delivery, std::memory_order_release);
        making.clear();
    }
}

}  // namespace

void deliver(call& c) noexcept {
    PyObject* const future = c.take_watcher();
    PyObject* const done = PyObject_CallMethod(future, "_deliver", nullptr);
    if (done == nullptr) PyErr_WriteUnraisable(future);
    Py_XDECREF(done);
    Py_DECREF(future);
}

bool call::watch(PyObject* future) noexcept {
    watcher_ = Py_NewRef(future);
    if ((flags_.fetch_or(watched, std::memory_order_acq_rel) & told) == 0) return true;
    Py_DECREF(take_watcher());
    return false;
}

void call::tell() noexcept {
    if ((flags_.fetch_or(told, std::memory_order_acq_rel) & watched) != 0) of_this_process().add(*this);
}

void call::tell_here() noexcept {
    if ((flags_.fetch_or(told, std::memory_order_acq_rel) & watched) != 0) deliver(*this);
}

void stop_delivery() noexcept {
    const pybind11::gil_scoped_release nogil;
    of_this_process().stop();
}

}  // namespace headrace::bindings
