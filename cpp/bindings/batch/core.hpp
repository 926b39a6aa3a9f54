// A batcher as Python has it: its function, its engine (one per event loop for an async function), its keys and its cache.
//
// Threads:  with the GIL, except what says otherwise.
// Lifetime: counted; the Python object and every request hold one. The last one to go needs the GIL, as requests do.
// Errors:   Python errors; null or false with one set.
// Stop:     close() refuses new calls; its Future is done when every item was delivered.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <headrace/batch/engine.hpp>
#include <memory>
#include <string>
#include <vector>

#include "graph_engine.hpp"
#include "keys.hpp"
#include "request.hpp"

namespace headrace::bindings {

class gathering;
class loop_lane;
class native_function;

struct call_options {
    ns timeout;
    std::int16_t priority;
};

class batch_core {
public:
    /// Throws Python errors and failure_error.
    batch_core(pybind11::object function, bool is_async, const pybind11::dict& settings);
    batch_core(const batch_core&) = delete;
    batch_core& operator=(const batch_core&) = delete;
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
    bool shared() const noexcept { return references_.load(std::memory_order_relaxed) > 1; }

    PyObject* submit(PyObject* argument, const call_options& call);
    PyObject* map(PyObject* arguments, const call_options& call, bool errors_are_values);
    call_options defaults() const noexcept { return {timeout_, 0}; }

    void configure(const pybind11::dict& limits);
    pybind11::dict stats() const;
    PyObject* close(bool cancel_waiting);
    bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
    /// The batcher is gone: finishes what was accepted.
    void abandon() noexcept;
    /// The interpreter is about to end.
    static void stop_all() noexcept;

    key_names& keys() noexcept { return keys_; }
    result_cache& cache() noexcept { return cache_; }
    void remember(const interned_key& name, PyObject* value) noexcept;
    const std::string& name() const noexcept { return options_.name; }
    PyObject* function() const noexcept { return function_.ptr(); }
    const batch::batch_options& options() const noexcept { return options_; }

    void cancel(request& r) noexcept;

    int traverse(visitproc visit, void* arg) const;

    // Any thread, without the GIL.
    void count(std::uint64_t completed, std::uint64_t failed) noexcept {
        completed_.fetch_add(completed, std::memory_order_relaxed);
        if (failed != 0) failed_.fetch_add(failed, std::memory_order_relaxed);
    }
    failure explain(batch::item_state state) const { return batch::failure_of(state, options_.name); }

    /// The end of a turn of the loop: what it submitted enters the engine.
    void flush_tick(PyObject* loop, request* first) noexcept;
    /// The event loop of this lane is gone.
    void forget(loop_lane& lane) noexcept;

private:
    ~batch_core();
    request* prepare(PyObject* argument, const call_options& call, bool& decided);
    bool give_key(request& r, bool& decided);
    bool give_weight(request& r);
    bool refuse() const;
    bool enter(request* first, request* last, PyObject* loop, ns timeout);
    void submit_to(const graph_engine& to, request* first) noexcept;
    bool enter_from_thread(request* first, ns timeout);
    loop_lane* lane_of(PyObject* loop);
    template <class F>
    void each_engine(F&& f) const;

    const pybind11::object function_;
    pybind11::object key_function_, weight_function_;
    batch::batch_options options_;
    ns timeout_ = ns::max();
    bool dedupe_ = false;
    bool is_async_ = false;
    std::shared_ptr<native_function> native_;
    graph_engine engine_;                            // empty for an async function
    std::vector<std::shared_ptr<loop_lane>> lanes_;  // of an async function, by loop
    batch::batch_stats past_;                        // of lanes whose loop is gone
    key_names keys_;
    result_cache cache_;
    const std::uint32_t process_;
    std::atomic<bool> closed_{false};
    std::atomic<std::size_t> references_{1};
    std::atomic<std::uint64_t> completed_{0}, failed_{0}, cache_hits_{0};
};

}  // namespace headrace::bindings
