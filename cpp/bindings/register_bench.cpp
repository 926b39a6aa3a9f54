// headrace._core._bench: what an await through the bridge costs when nothing else happens. For benchmarks and tests.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "bridge/asyncio_names.hpp"
#include "bridge/future.hpp"
#include "bridge/loop_port.hpp"
#include "errors.hpp"
#include "registers.hpp"

namespace headrace::bindings {
namespace {

using bridge::pending_result;

// Gives back what was given, or raises it when it is an exception.
class echo final : public pending_result {
public:
    explicit echo(PyObject* value) : pending_result(destruction::with_gil), value_(Py_NewRef(value)) {}
    ~echo() override { Py_XDECREF(value_); }
    PyObject* to_python() override {
        if (PyExceptionInstance_Check(value_) == 0) return std::exchange(value_, nullptr);
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(value_)), value_);
        return nullptr;
    }
    void on_cancel() noexcept override { cancels.fetch_add(1, std::memory_order_relaxed); }

    static inline std::atomic<std::uint64_t> cancels{0};

private:
    PyObject* value_;
};

class server {
public:
    virtual ~server() = default;
    virtual void submit(pending_result& r) = 0;
    virtual void close() {}
};

struct chain {
    pending_result* first = nullptr;
    pending_result* last = nullptr;

    void add(pending_result& r) {
        r.next = nullptr;
        (first == nullptr ? first : last->next) = &r;
        last = &r;
    }
    void finish() {
        auto* all = std::exchange(first, nullptr);
        pending_result::finish_chain(all);
    }
};

// The floor: completed on the loop's own thread, by a callback of the loop, once per tick.
class on_next_tick final : public server {
public:
    void submit(pending_result& r) override {
        const bool first = waiting_.first == nullptr;
        waiting_.add(r);
        if (first) plan();
    }

private:
    void plan() {
        static PyMethodDef flush = {"flush", &on_next_tick::flush, METH_NOARGS, nullptr};
        const py::capsule self(this, nullptr, static_cast<PyCapsule_Destructor>(nullptr));
        const auto callback = py::reinterpret_steal<py::object>(PyCFunction_New(&flush, self.ptr()));
        if (PyObject* loop = bridge::running_loop()) py::handle(loop).attr("call_soon")(callback);
    }
    static PyObject* flush(PyObject* self, PyObject*) {
        static_cast<on_next_tick*>(PyCapsule_GetPointer(self, nullptr))->waiting_.finish();
        return PyObject_CallNoArgs(reinterpret_cast<PyObject*>(bridge::port_of(bridge::running_loop())));
    }
    chain waiting_;
};

// The same at the end of the bridge's own drain: the loop does not even turn.
class at_end_of_drain final : public server, private bridge::tick_end {
public:
    void submit(pending_result& r) override {
        const bool plan = waiting_.first == nullptr;
        waiting_.add(r);
        if (plan && !bridge::at_tick_end(*this)) waiting_.finish();
    }

private:
    void run() noexcept override { waiting_.finish(); }
    chain waiting_;
};

// Completed when told to: for tests.
class by_hand final : public server {
public:
    void submit(pending_result& r) override { waiting_.add(r); }
    void close() override { waiting_.finish(); }

private:
    chain waiting_;
};

// Another thread answers, everything that waits at once.
class by_thread final : public server {
public:
    by_thread() : thread_([this] { run(); }) {}
    ~by_thread() override { close(); }
    void submit(pending_result& r) override {
        auto* head = head_.load(std::memory_order_relaxed);
        do {
            r.next = head;
        } while (!head_.compare_exchange_weak(head, &r, std::memory_order_release, std::memory_order_relaxed));
        if (head == nullptr) wake();
    }
    void close() override {
        if (!thread_.joinable()) return;
        stopped_.store(true);
        wake();
        const py::gil_scoped_release nogil;
        thread_.join();
    }

private:
    void wake() {
        epoch_.fetch_add(1, std::memory_order_release);
        epoch_.notify_one();
    }
    void run() {
        for (;;) {
            const auto seen = epoch_.load(std::memory_order_acquire);
            auto* newest = head_.exchange(nullptr, std::memory_order_acq_rel);
            if (newest == nullptr) {
                if (stopped_.load()) return;
                epoch_.wait(seen, std::memory_order_acquire);
                continue;
            }
            pending_result* oldest = nullptr;
            while (newest != nullptr) newest = std::exchange(newest->next, std::exchange(oldest, newest));
            pending_result::finish_chain(oldest);
        }
    }

    std::atomic<pending_result*> head_{nullptr};
    std::atomic<std::uint32_t> epoch_{0};
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

server& server_of(PyObject* capsule) {
    return *static_cast<server*>(PyCapsule_GetPointer(capsule, nullptr));
}

PyObject* submit(PyObject* self, PyObject* value) {
    auto* r = new echo(value);
    PyObject* future = bridge::make_future(r);
    if (future == nullptr) return nullptr;
    try {
        server_of(self).submit(*r);
    } catch (py::error_already_set& e) {
        e.restore();
        Py_CLEAR(future);
    }
    return future;
}

PyObject* close(PyObject* self, PyObject*) {
    server_of(self).close();
    Py_RETURN_NONE;
}

// (submit, close) of a server; plain functions, because a bound method would cost more than what is measured.
template <class Server>
py::tuple make() {
    static PyMethodDef submit_method = {"submit", &submit, METH_O, "Its result is what was submitted."};
    static PyMethodDef close_method = {"close", &close, METH_NOARGS, "Finish what waits."};
    const py::capsule self(static_cast<server*>(new Server), [](void* p) { delete static_cast<server*>(p); });
    return py::make_tuple(py::reinterpret_steal<py::object>(PyCFunction_New(&submit_method, self.ptr())),
                          py::reinterpret_steal<py::object>(PyCFunction_New(&close_method, self.ptr())));
}

}  // namespace

void register_bench(py::module_& parent) {
    auto m = parent.def_submodule("_bench", "Floors of the bridge; every function returns (submit, close).");
    m.def("on_next_tick", &make<on_next_tick>, "The loop's own thread completes, once per tick of the loop.");
    m.def("at_end_of_drain", &make<at_end_of_drain>, "The loop's own thread completes, without a tick.");
    m.def("by_thread", &make<by_thread>, "Another thread completes.");
    m.def("by_hand", &make<by_hand>, "close() completes what was submitted since the last one.");
    m.def(
        "cancels", [] { return echo::cancels.load(); }, "How often an operation was told that it was cancelled.");
}

}  // namespace headrace::bindings
