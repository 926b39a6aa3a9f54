#include "process_executor.hpp"

#include <pybind11/stl.h>

#include <headrace/base/fork.hpp>
#include <headrace/exec/process_pool.hpp>
#include <memory>

#include "../errors.hpp"
#include "../waiting.hpp"
#include "call.hpp"
#include "executor_object.hpp"
#include "functions.hpp"
#include "future_type.hpp"
#include "pickling.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

struct executor_core {
    explicit executor_core(exec::process_options options) : pool(std::move(options)) {}
    exec::process_pool pool;
    slab_source slabs;
    function_table functions;  // with the GIL
    ns deadline = ns::max();   // of calls that bring none
    bool waits_for_room = true;
};

struct executor_object {
    PyObject_HEAD executor_core* core;
};

class process_call final : public call, public exec::process_task {
public:
    explicit process_call(exec::process_pool& pool) : pool_(pool) { retain(); }  // the pool's, until it answers

    call_state state() const noexcept override {
        if (settled()) return failure_.code == errc::cancelled ? call_state::cancelled : call_state::finished;
        if (generation_ != fork_generation()) return call_state::finished;
        return call_state::pending;
    }
    bool wait(ns timeout) noexcept override { return pool_.wait(*this, timeout) || done(); }
    bool cancel() noexcept override {
        if (!pool_.cancel(*this)) return state() == call_state::cancelled;
        if (request.slab) request.slab->give_back();
        finish(failure::of(errc::cancelled, ""));
        return true;
    }
    bool needs_haste() const noexcept override { return true; }
    void hasten() noexcept override { pool_.hasten(*this); }

    PyObject* take() override {
        if (!settled()) return raise_failure(failure::of(errc::forked, "the call belongs to the parent process"));
        if (failure_) return raise_failure(failure_);
        PyObject* const object = load(std::exchange(body_, {}));
        if (object == nullptr || !raised_) return object;
        PyObject* const raiser = wire("unpack_error");
        PyObject* const error = raiser == nullptr ? nullptr : PyObject_CallOneArg(raiser, object);
        Py_DECREF(object);
        if (error == nullptr) return nullptr;
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
        Py_DECREF(error);
        return nullptr;
    }

    void answered(bool raised, exec::message_body&& body) noexcept override {
        raised_ = raised;
        body_ = std::move(body);
        end();
    }
    void failed(const failure& why) noexcept override {
        // A worker that is being stopped may still write to it.
        if (request.slab) request.slab->retire();
        finish(why);
    }
    /// It never came to the pool.
    void not_submitted() noexcept { release(); }

private:
    ~process_call() override { body_.give_back(); }
    void finish(const failure& why) noexcept {
        failure_ = why;
        end();
    }
    void end() noexcept {
        request = {};
        settle();
        tell();
        release();
    }

    exec::process_pool& pool_;  // the Future keeps the executor
    const std::uint32_t generation_ = fork_generation();
    exec::message_body body_;
    failure failure_;
    bool raised_ = false;
};

PyTypeObject* pool_type = nullptr;

executor_core* core_of(PyObject* self) {
    auto* core = reinterpret_cast<executor_object*>(self)->core;
    if (core == nullptr) PyErr_SetString(PyExc_RuntimeError, "ProcessExecutor.__init__ was not called");
    return core;
}

// The arguments, and the function unless workers know it by number. False with an error set.
bool pack(executor_core& core, PyObject* function, PyObject* args, PyObject* kwargs, process_call& c,
          late_copy& later) {
    if (!core.functions.find(function, c.function)) return false;
    PyObject* const wrapped = wrap_large(args);
    if (wrapped == nullptr) return false;
    PyObject* const named = kwargs == nullptr ? Py_None : kwargs;
    PyObject* const whole =
        c.function != nullptr ? PyTuple_Pack(2, wrapped, named) : PyTuple_Pack(3, wrapped, named, function);
    Py_DECREF(wrapped);
    const bool good = whole != nullptr && dump(whole, core.slabs, c.request, later);
    Py_XDECREF(whole);
    return good;
}

// Says which call could not be pickled. The error stays set.
void name_call(PyObject* function, PyObject* args) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject* const namer = wire("name_unpicklable");
    PyObject* const done =
        namer == nullptr ? nullptr : PyObject_CallFunctionObjArgs(namer, value, function, args, nullptr);
    Py_XDECREF(done);
    PyErr_Clear();
    PyErr_Restore(type, value, trace);
}

bool wait_for_room(executor_core& core, ns timeout) {
    try {
        return wait_for(timeout, [&](ns slice) { return core.pool.wait_room(slice); }) ||
               raise_failure(failure::of(errc::timed_out, "no room in the queue before the deadline")) != nullptr;
    } catch (py::error_already_set& e) {
        e.restore();
        return false;
    }
}

PyObject* start(PyObject* self, PyObject* function, PyObject* args, PyObject* kwargs, ns deadline) {
    executor_core* const core = core_of(self);
    if (core == nullptr) return nullptr;
    if (PyCallable_Check(function) == 0) return PyErr_Format(PyExc_TypeError, "%R is not callable", function);
    late_copy later;
    auto* c = new process_call(core->pool);
    if (!pack(*core, function, args, kwargs, *c, later)) {
        c->not_submitted();
        c->release();
        if (PyErr_ExceptionMatches(PyExc_Exception) == 0) return nullptr;  // Ctrl-C is the caller's
        name_call(function, args);
        return make_failed_future();
    }
    PyObject* const future = make_exec_future(*c, self);
    if (future == nullptr) {
        c->not_submitted();
        c->release();
        return nullptr;
    }
    if (deadline != ns::max()) c->deadline = monotonic_now() + deadline;
    failure why;
    {
        const py::gil_scoped_release nogil;
        why = core->pool.submit(*c);
        if (!why) later.run();
    }
    // Full, and willing to wait: rare, so the room is looked for afterwards.
    while (why.code == errc::queue_full && core->waits_for_room) {
        if (!wait_for_room(*core, deadline)) {
            c->not_submitted();
            Py_DECREF(future);
            return nullptr;
        }
        const py::gil_scoped_release nogil;
        why = core->pool.submit(*c);
        if (!why) later.run();
    }
    if (!why) return future;
    if (why.code == errc::worker_lost || why.code == errc::timed_out) {
        c->failed(why);
        return future;
    }
    c->not_submitted();
    Py_DECREF(future);
    return raise_failure(why);
}

PyObject* submit(PyObject* self, PyObject* const* given, Py_ssize_t n, PyObject* names) {
    PyObject *function, *args, *kwargs;
    if (core_of(self) == nullptr || !read_submit(given, n, names, function, args, kwargs)) return nullptr;
    PyObject* const future = start(self, function, args, kwargs, core_of(self)->deadline);
    Py_DECREF(args);
    Py_XDECREF(kwargs);
    return future;
}

PyObject* apply(PyObject* self, PyObject* given, PyObject* names) {
    PyObject *function, *args, *kwargs;
    double deadline = -1;
    if (core_of(self) == nullptr || !read_apply(given, names, function, args, kwargs, deadline)) return nullptr;
    PyObject* const none = args == nullptr ? PyTuple_New(0) : Py_NewRef(args);
    if (none == nullptr) return nullptr;
    PyObject* const future =
        start(self, function, none, kwargs, deadline < 0 ? core_of(self)->deadline : to_ns(deadline));
    Py_DECREF(none);
    return future;
}

PyObject* close(PyObject* self, PyObject* cancel) {
    executor_core* const core = core_of(self);
    const int truth = core == nullptr ? -1 : PyObject_IsTrue(cancel);
    if (truth < 0) return nullptr;
    {
        const py::gil_scoped_release nogil;
        core->pool.close(truth != 0 ? stop_mode::cancel : stop_mode::drain);
    }
    Py_RETURN_NONE;
}

PyObject* kill(PyObject* self, PyObject*) {
    executor_core* const core = core_of(self);
    if (core == nullptr) return nullptr;
    {
        const py::gil_scoped_release nogil;
        core->pool.kill();
    }
    Py_RETURN_NONE;
}

PyObject* wait_closed(PyObject* self, PyObject* timeout) {
    executor_core* const core = core_of(self);
    const double seconds = core == nullptr ? -1 : timeout == Py_None ? 1e12 : PyFloat_AsDouble(timeout);
    if (core == nullptr || (seconds == -1 && PyErr_Occurred() != nullptr)) return nullptr;
    try {
        return PyBool_FromLong(wait_for(to_ns(seconds), [&](ns slice) { return core->pool.wait_closed(slice); }));
    } catch (py::error_already_set& e) {
        e.restore();
        return nullptr;
    }
}

PyObject* stats(PyObject* self, PyObject*) {
    executor_core* const core = core_of(self);
    if (core == nullptr) return nullptr;
    exec::process_counters s;
    {
        const py::gil_scoped_release nogil;
        s = core->pool.stats();
    }
    py::dict d;
    d["submitted"] = s.submitted;
    d["answered"] = s.answered;
    d["cancelled"] = s.cancelled;
    d["timed_out"] = s.timed_out;
    d["lost"] = s.lost;
    d["refused"] = s.refused;
    d["returned"] = s.returned;
    d["workers_started"] = s.started;
    d["workers_crashed"] = s.crashed;
    d["workers_killed"] = s.killed;
    d["workers_recycled"] = s.recycled;
    d["waiting"] = s.waiting;
    d["running"] = s.running;
    d["workers"] = s.workers;
    return d.release().ptr();
}

PyObject* pids(PyObject* self, PyObject*) {
    executor_core* const core = core_of(self);
    if (core == nullptr) return nullptr;
    std::vector<pid_t> found;
    {
        const py::gil_scoped_release nogil;
        found = core->pool.pids();
    }
    py::list out;
    for (const auto pid : found) out.append(pid);
    return out.release().ptr();
}

PyObject* get_closed(PyObject* self, void*) {
    executor_core* const core = core_of(self);
    if (core == nullptr) return nullptr;
    bool closed = false;
    {
        const py::gil_scoped_release nogil;
        closed = core->pool.closed();
    }
    return PyBool_FromLong(closed);
}

exec::process_options to_options(const py::dict& d, slab_source& slabs) {
    exec::process_options o;
    o.command = d["command"].cast<std::vector<std::string>>();
    o.environment = d["environment"].cast<std::vector<std::string>>();
    o.name = d["name"].cast<std::string>();
    o.workers = d["max_workers"].cast<std::size_t>();
    o.prestart = d["prestart"].cast<std::size_t>();
    o.max_queue_size = d["max_queue_size"].cast<std::size_t>();
    o.on_full = d["on_full"].cast<std::string>() == "drop_oldest" ? full_policy::drop_oldest : full_policy::reject;
    o.window = d["window"].cast<std::size_t>();
    o.max_tasks_per_worker = d["max_tasks_per_worker"].cast<std::uint64_t>();
    o.max_memory = d["max_memory"].cast<std::uint64_t>();
    o.start_timeout = to_ns(d["start_timeout_s"].cast<double>());
    o.kill_grace = to_ns(d["kill_grace_s"].cast<double>());
    o.stop_grace = to_ns(d["stop_grace_s"].cast<double>());
    o.breaker_failures = d["breaker_failures"].cast<std::size_t>();
    o.breaker_reset = to_ns(d["breaker_reset_s"].cast<double>());
    late_copy nothing_large;
    if (!dump(d["hello"].cast<py::object>().ptr(), slabs, o.hello, nothing_large)) throw py::error_already_set();
    if (o.hello.slab)
        throw failure_error(failure::of(
            errc::invalid_argument, o.name + ": initializer, its arguments and the rest of the set-up must pickle to "
                                             "less than 64 KiB; let the initializer read what is larger"));
    return o;
}

int init(PyObject* self, PyObject* args, PyObject*) {
    PyObject* settings = nullptr;
    if (PyArg_ParseTuple(args, "O!", &PyDict_Type, &settings) == 0) return -1;
    auto* object = reinterpret_cast<executor_object*>(self);
    if (object->core != nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "__init__ was called before");
        return -1;
    }
    try {
        const auto d = py::reinterpret_borrow<py::dict>(settings);
        slab_source for_hello;
        auto options = to_options(d, for_hello);
        throw_if(exec::process_options::check(options));
        auto core = std::make_unique<executor_core>(std::move(options));
        const double deadline = d["deadline"].is_none() ? -1 : d["deadline"].cast<double>();
        if (deadline >= 0) core->deadline = to_ns(deadline);
        core->waits_for_room = d["on_full"].cast<std::string>() == "wait";
        object->core = core.release();
        return 0;
    } catch (py::error_already_set& e) {
        e.restore();
    } catch (const failure_error& e) {
        raise_failure({e.code(), e.what()});
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    }
    return -1;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    auto* core = reinterpret_cast<executor_object*>(self)->core;
    Py_VISIT(Py_TYPE(self));
    return core == nullptr ? 0 : core->functions.traverse(visit, arg);
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (auto* core = std::exchange(reinterpret_cast<executor_object*>(self)->core, nullptr)) {
        {
            // Workers end before the rest goes; this may take as long as killing them does.
            const py::gil_scoped_release nogil;
            core->pool.kill();
            core->pool.wait_closed(ns::max());
        }
        delete core;
    }
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"submit", as_method(submit), METH_FASTCALL | METH_KEYWORDS,
     "submit($self, fn, /, *args, **kwargs)\n--\n\nCalls fn(*args, **kwargs) in a worker process: a Future.\n\n"
     "What cannot be pickled fails in the Future. Raises Closed (a RuntimeError) after shutdown, QueueFull, Forked."},
    {"apply", as_method(apply), METH_VARARGS | METH_KEYWORDS,
     "apply($self, fn, args=(), kwargs=None, *, deadline=None)\n--\n\nsubmit() with a deadline of its own.\n\n"
     "`deadline`: seconds from now. A call that waits then fails with DeadlineExceeded; one that runs as well, and "
     "its\n"
     "worker is stopped: SIGTERM, and SIGKILL after kill_grace_s."},
    {"pids", pids, METH_NOARGS, "pids($self, /)\n--\n\nProcess ids of the workers."},
    {"_close", close, METH_O, nullptr},
    {"_kill", kill, METH_NOARGS, nullptr},
    {"_wait_closed", wait_closed, METH_O, nullptr},
    {"_stats", stats, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"closed", get_closed, nullptr, "Whether it takes no more calls.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_init, reinterpret_cast<void*>(init)},
    {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.exec.ProcessPool", sizeof(executor_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

exec::process_pool* process_pool_of(PyObject* executor) {
    if (pool_type == nullptr || !PyObject_TypeCheck(executor, pool_type)) {
        PyErr_Format(PyExc_TypeError, "%R is no ProcessExecutor", executor);
        return nullptr;
    }
    executor_core* const core = core_of(executor);
    return core == nullptr ? nullptr : &core->pool;
}

void register_process_executor(py::module_& m) {
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw py::error_already_set();
    pool_type = reinterpret_cast<PyTypeObject*>(type);
    m.attr("ProcessPool") = py::reinterpret_borrow<py::object>(type);
}

}  // namespace headrace::bindings
