// A unit of a Python graph: a call of a Python function, or a sleep, with its outcome; node of the graph and native half of
// the Future in one.
//
// Threads:  made and run with the GIL; the graph decides it in any thread, without.
// Lifetime: counted twice: as a graph_node (the graph, edges, Node objects) and as a pending_result (the Future, the engine's
//           reference, and one for all references of the first kind together). Freed with the GIL, see bridge/completion.hpp.
// Errors:   an exception of the function is kept and raised where the result is asked for; dependants raise DependencyFailed
//           with it as their __cause__.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/batch/unit.hpp>

#include "../bridge/completion.hpp"

namespace headrace::bindings {

/// How the function of a unit is called: function, positional and named arguments, one after the other.
struct call_plan : batch::slab::allocated {
    PyObject** items = nullptr;  ///< [function, arguments..., values of the names...], owned
    PyObject* names = nullptr;   ///< tuple of names, or null
    Py_ssize_t positional = 0;
    Py_ssize_t size = 0;  ///< of items

    /// Takes references to all of them, `n_named` values with their names.
    call_plan(PyObject* function, PyObject* const* arguments, Py_ssize_t n_positional, PyObject* const* named,
              PyObject* const* their_names, Py_ssize_t n_named);
    ~call_plan();
    call_plan(const call_plan&) = delete;
    call_plan& operator=(const call_plan&) = delete;
    /// Puts values in the place of units, also inside of lists and tuples. False with an error set.
    bool resolve();
    PyObject* call() const;
};

class loop_mail;

class python_unit final : public batch::graph_node, public bridge::pending_result {
public:
    enum class kind : std::uint8_t { sleep, call, coroutine };

    using batch::slab::allocated::operator new;
    using batch::slab::allocated::operator delete;

    /// A sleep when `plan` is null; a coroutine when there is a `mail` to its event loop.
    python_unit(std::unique_ptr<call_plan> plan, std::shared_ptr<loop_mail> mail);

    kind what() const noexcept { return kind_; }
    void set_options(PyObject* name, ns delay, std::uint8_t priority);
    /// Of a unit that is done: borrowed.
    PyObject* value() const noexcept { return value_ != nullptr ? value_ : Py_None; }
    /// Of a unit that is failed or cancelled: what result() raises, a new reference.
    PyObject* make_error();

    // Bridge.
    PyObject* to_python() override;
    void on_cancel() noexcept override;

    // On the event loop.
    /// A new reference to the coroutine; null when the call failed and the unit has ended.
    PyObject* begin_coroutine();
    void end_with_value(PyObject* stolen) noexcept;
    void end_with_error() noexcept;  ///< the one that is set
    void end_with(failure why) noexcept;
    bool ended() const noexcept { return ended_; }
    PyObject* task = nullptr;          ///< what runs it, owned
    python_unit* next_mail = nullptr;  ///< the mail's

    // What counts for quiescence: whether it could still join a batch. Any thread.
    void activate() noexcept;
    void deactivate() noexcept;
    void hold_begins() noexcept { holds_.fetch_add(1, std::memory_order_relaxed); }
    void hold_ends() noexcept {
        if (holds_.fetch_sub(1, std::memory_order_acq_rel) == 1) activate();
    }
    batch::graph_core& core() noexcept { return *core_; }

private:
    ~python_unit() override;
    using pending_result::run;
    outcome run() noexcept override;
    void on_decided() noexcept override;
    void start_remote() noexcept override;
    void on_awaited() noexcept override { activate(); }
    void dispose() noexcept override { pending_result::release(); }
    void keep_error() noexcept;

    std::unique_ptr<call_plan> plan_;
    std::shared_ptr<loop_mail> mail_;
    PyObject* value_ = nullptr;
    PyObject* error_value_ = nullptr;  // the exception, with its traceback
    const kind kind_;
    bool ended_ = false;
    // Whether it counts as active, by the graph or outside of it. Over: nothing may change any more.
    enum class activity : std::uint8_t { none, counted, over };
    std::atomic<activity> active_;
    bool change(activity from, activity to) noexcept { return active_.compare_exchange_strong(from, to); }
    std::atomic<std::int32_t> holds_{0};
};

/// The unit that runs in this thread now: a call on a worker, or a step of a coroutine; null outside of units.
python_unit* current_unit() noexcept;

class current_scope {
public:
    explicit current_scope(python_unit* u) noexcept;
    ~current_scope();
    current_scope(const current_scope&) = delete;
    current_scope& operator=(const current_scope&) = delete;

private:
    python_unit* before_;
};

/// The unit of a Node object; null, without an error, for any other object.
python_unit* unit_of(PyObject* object) noexcept;

}  // namespace headrace::bindings
