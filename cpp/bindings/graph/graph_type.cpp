#include "graph_type.hpp"

#include <headrace/base/mutex.hpp>
#include <headrace/net/runtime.hpp>
#include <vector>

#include "../bridge/future.hpp"
#include "../waiting.hpp"
#include "graph_object.hpp"
#include "node_type.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

using core_ptr = std::shared_ptr<batch::graph_core>;

mutex alive_mutex;
std::vector<std::weak_ptr<batch::graph_core>> alive HEADRACE_GUARDED_BY(alive_mutex);

// The interpreter's lock, kept from one body to the next.
class gil_scope final : public batch::body_scope {
public:
    void enter() noexcept override { state() = PyGILState_Ensure(); }
    void leave() noexcept override { PyGILState_Release(state()); }

private:
    static PyGILState_STATE& state() {
        thread_local PyGILState_STATE s{};
        return s;
    }
};

bool two_units(PyObject* const* args, Py_ssize_t n, python_unit*& a, python_unit*& b) {
    if (n == 2 && (a = unit_of(args[0])) != nullptr && (b = unit_of(args[1])) != nullptr) return true;
    PyErr_SetString(PyExc_TypeError, "depend() takes two nodes: the one that waits, and the one that it waits for");
    return false;
}

PyObject* depend(PyObject* self, PyObject* const* args, Py_ssize_t n) {
    graph_state* s = graph_state_of(self);
    python_unit *a = nullptr, *b = nullptr;
    if (s == nullptr || !two_units(args, n, a, b)) return nullptr;
    return guarded_graph_call([&] {
        failure bad;
        {
            py::gil_scoped_release nogil;
            bad = s->core->depend(*a, *b);
        }
        return bad ? raise(bad) : Py_NewRef(Py_None);
    });
}

PyObject* cancel(PyObject* self, PyObject* node) {
    graph_state* s = graph_state_of(self);
    python_unit* u = unit_of(node);
    if (s == nullptr) return nullptr;
    if (u == nullptr) {
        PyErr_Format(PyExc_TypeError, "cancel() takes a node, not %R", node);
        return nullptr;
    }
    return guarded_graph_call([&] {
        bool won = false;
        {
            py::gil_scoped_release nogil;
            won = s->core->cancel(*u);
        }
        return PyBool_FromLong(won);
    });
}

PyObject* wait(PyObject* self, PyObject* timeout) {
    graph_state* s = graph_state_of(self);
    const double seconds = PyFloat_AsDouble(timeout);
    if (s == nullptr || (seconds == -1.0 && PyErr_Occurred() != nullptr)) return nullptr;
    if (s->core->running_here()) {
        PyErr_SetString(PyExc_RuntimeError, "a unit cannot wait for its whole graph");
        return nullptr;
    }
    return guarded_graph_call(
        [&] { return PyBool_FromLong(wait_for(to_ns(seconds), [&](ns slice) { return s->core->wait_idle(slice); })); });
}

class idle_result final : public bridge::pending_result {
public:
    PyObject* to_python() override { return Py_NewRef(Py_None); }
};

PyObject* idle(PyObject* self, PyObject*) {
    graph_state* s = graph_state_of(self);
    if (s == nullptr) return nullptr;
    auto* r = new idle_result;
    PyObject* future = bridge::make_future(r);
    if (future == nullptr) return nullptr;
    return guarded_graph_call([&] {
        py::gil_scoped_release nogil;
        s->core->when_idle([r] { bridge::pending_result::finish(*r); });
        return future;
    });
}

PyObject* close(PyObject* self, PyObject* cancel_waiting) {
    graph_state* s = graph_state_of(self);
    const int truth = PyObject_IsTrue(cancel_waiting);
    if (s == nullptr || truth < 0) return nullptr;
    return guarded_graph_call([&] {
        py::gil_scoped_release nogil;
        s->core->close(truth != 0 ? stop_mode::cancel : stop_mode::drain);
        return Py_NewRef(Py_None);
    });
}

PyObject* add_activity(PyObject* self, PyObject* number) {
    graph_state* s = graph_state_of(self);
    const long n = PyLong_AsLong(number);
    if (s == nullptr || (n == -1 && PyErr_Occurred() != nullptr)) return nullptr;
    s->core->add_activity(static_cast<int>(n));
    Py_RETURN_NONE;
}

PyObject* stats(PyObject* self, PyObject*) {
    graph_state* s = graph_state_of(self);
    if (s == nullptr) return nullptr;
    return guarded_graph_call([&] {
        batch::graph_counts c;
        batch::graph_core::activity a;
        {
            py::gil_scoped_release nogil;
            c = s->core->counts();
            a = s->core->stats();
        }
        py::dict d;
        d["added"] = c.added;
        d["undecided"] = c.undecided;
        d["waiting"] = c.waiting;
        d["sleeping"] = c.sleeping;
        d["ready"] = c.ready;
        d["running"] = c.running;
        d["suspended"] = c.suspended;
        d["done"] = c.done;
        d["failed"] = c.failed;
        d["cancelled"] = c.cancelled;
        d["workers"] = a.runners;
        d["flushes"] = a.flushes;
        d["limit_flushes"] = a.limit_flushes;
        return d.release().ptr();
    });
}

struct node_row {
    std::uint32_t id;
    std::string name;
    python_unit::kind kind;
    batch::unit_state state;
    batch::unit_phase phase;
    std::vector<std::uint32_t> dependencies;
};

const char* text_of(python_unit::kind k) {
    return k == python_unit::kind::sleep ? "sleep" : k == python_unit::kind::call ? "call" : "coroutine";
}

const char* text_of(const node_row& r) {
    if (r.state == batch::unit_state::done) return "done";
    if (r.state == batch::unit_state::failed) return "failed";
    if (r.state == batch::unit_state::cancelled) return "cancelled";
    switch (r.phase) {
        case batch::unit_phase::sleeping: return "sleeping";
        case batch::unit_phase::ready: return "ready";
        case batch::unit_phase::running: return "running";
        default: return "waiting";
    }
}

PyObject* nodes(PyObject* self, PyObject*) {
    graph_state* s = graph_state_of(self);
    if (s == nullptr) return nullptr;
    return guarded_graph_call([&] {
        std::vector<node_row> rows;
        {
            py::gil_scoped_release nogil;
            s->core->each_node([&](const batch::graph_node& n) {
                node_row row{n.id(),    std::string(n.name()),      static_cast<const python_unit&>(n).what(),
                             n.state(), batch::graph_fsm::phase(n), {}};
                batch::graph_fsm::each_dependency(
                    n, [&](const batch::graph_node& d) { row.dependencies.push_back(d.id()); });
                rows.push_back(std::move(row));
            });
        }
        py::list out;
        for (const node_row& r : rows) {
            py::list dependencies;
            for (const auto d : r.dependencies) dependencies.append(d);
            out.append(py::make_tuple(r.id, r.name, text_of(r.kind), text_of(r), dependencies));
        }
        return out.release().ptr();
    });
}

PyObject* get_closed(PyObject* self, void*) {
    graph_state* s = graph_state_of(self);
    return s == nullptr ? nullptr : PyBool_FromLong(s->core->closed());
}

core_ptr make_core(const py::dict& d) {
    batch::task_graph_options o;
    o.concurrency = d["concurrency"].cast<std::size_t>();
    o.max_units = d["max_units"].cast<std::size_t>();
    o.history = d["history"].cast<std::size_t>();
    o.hold_limit = to_ns(d["hold_limit_s"].cast<double>());
    o.name = d["name"].cast<std::string>();
    o.eager_workers = 1;  // one at a time has the interpreter; more only when that one blocks
    o.scope = std::make_shared<gil_scope>();
    auto core = std::make_shared<batch::graph_core>(std::move(o), exec::thread_pool::shared(), net::runtime::shared());
    lock_guard hold(alive_mutex);
    std::erase_if(alive, [](const auto& weak) { return weak.expired(); });
    alive.push_back(core);
    return core;
}

int init(PyObject* self, PyObject* args, PyObject*) {
    PyObject* settings = nullptr;
    if (PyArg_ParseTuple(args, "O!", &PyDict_Type, &settings) == 0) return -1;
    auto* object = reinterpret_cast<graph_object*>(self);
    if (object->state != nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "Graph.__init__ was called before");
        return -1;
    }
    PyObject* done = guarded_graph_call([&] {
        object->state = new graph_state{make_core(py::reinterpret_borrow<py::dict>(settings)), {}};
        return Py_NewRef(Py_None);
    });
    Py_XDECREF(done);
    return done == nullptr ? -1 : 0;
}

// A graph that nobody has any more is cancelled. Its bodies that run come to their end; then an I/O thread, which none of
// them is, lets it go.
void abandon(core_ptr core) {
    if (core->forked()) {
        static_cast<void>(new core_ptr(std::move(core)));  // its threads stayed with the parent
        return;
    }
    py::gil_scoped_release nogil;
    core->close(stop_mode::cancel);
    core->when_idle([core] { net::runtime::shared()->next().post([core] { core->retire(); }); });
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    const std::unique_ptr<graph_state> s(std::exchange(reinterpret_cast<graph_object*>(self)->state, nullptr));
    if (s != nullptr) abandon(std::move(s->core));
    type->tp_free(self);
    Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

template <class F>
PyCFunction as_method(F* f) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef methods[] = {
    {"submit", as_method(graph_submit), METH_FASTCALL | METH_KEYWORDS,
     "submit($self, fn, /, *args, deps=(), delay_s=0.0, name=None, priority=0, **kwargs)\n--\n\n"
     "Call `fn(*args, **kwargs)` once everything that it depends on is done; a Node.\n\n"
     "Nodes among the arguments (also inside a list or tuple) are dependencies, and their results are passed in their\n"
     "place; `deps` are dependencies without that. A plain function runs on a worker thread, an `async def` function\n"
     "or a batcher on the event loop of the thread that submits. `delay_s` seconds pass before, on a timer, without a\n"
     "thread. Ready units of a higher `priority`, 0 to 7, go first. Raises Closed, QueueFull, Forked, InvalidArgument "
     "(a node of another\n"
     "graph), RuntimeError (async, and no loop)."},
    {"sleep", as_method(graph_sleep), METH_FASTCALL | METH_KEYWORDS,
     "sleep($self, seconds, /, *, deps=(), name=None)\n--\n\nA node that is done `seconds` after its dependencies."},
    {"depend", as_method(depend), METH_FASTCALL,
     "depend($self, node, on, /)\n--\n\n"
     "`node`, which must still wait for something else, waits for `on` too. Raises InvalidArgument, naming the cycle,\n"
     "when that would close one."},
    {"cancel", cancel, METH_O,
     "cancel($self, node, /)\n--\n\n"
     "Cancel a node, all that depend on it, and the dependencies that nothing else needs. False when it was "
     "decided.\n\n"
     "A function that runs is not interrupted, its result is dropped; a coroutine is cancelled."},
    {"_wait", wait, METH_O, nullptr},
    {"_idle", idle, METH_NOARGS, nullptr},
    {"_close", close, METH_O, nullptr},
    {"_add_activity", add_activity, METH_O, nullptr},
    {"_stats", stats, METH_NOARGS, nullptr},
    {"_nodes", nodes, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef attributes[] = {
    {"closed", get_closed, nullptr, "Whether it takes no more units.", nullptr},
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
PyType_Spec spec = {"headrace._core.graph.Graph", sizeof(graph_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

void stop_graphs(double seconds) {
    std::vector<core_ptr> cores;
    {
        lock_guard hold(alive_mutex);
        for (const auto& weak : alive) {
            if (auto core = weak.lock(); core != nullptr && !core->forked()) cores.push_back(std::move(core));
        }
    }
    for (const auto& core : cores) core->close(stop_mode::cancel);
    const ns until = monotonic_now() + to_ns(seconds);
    for (const auto& core : cores) core->wait_idle(std::max(ns{0}, until - monotonic_now()));
}

void register_graph_type(py::module_& m) {
    prepare_graph_submit();
    // A unit whose thread waits for something cannot join a batch meanwhile.
    bridge::watch_waits(
        []() noexcept {
            python_unit* const u = current_unit();
            if (u == nullptr) return;
            u->deactivate();
            u->core().block(1);
        },
        []() noexcept {
            python_unit* const u = current_unit();
            if (u == nullptr) return;
            u->core().block(-1);
            u->activate();
        });
    PyObject* type = PyType_FromSpec(&spec);
    if (type == nullptr) throw py::error_already_set();
    m.attr("Graph") = py::reinterpret_steal<py::object>(type);
}

}  // namespace headrace::bindings
