#include "graph_type.hpp"

#include <algorithm>
#include <headrace/base/mutex.hpp>
#include <headrace/net/runtime.hpp>
#include <vector>

#include "../bridge/asyncio_names.hpp"
#include "../bridge/future.hpp"
#include "../errors.hpp"
#include "../waiting.hpp"
#include "loop_mail.hpp"
#include "node_type.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

using core_ptr = std::shared_ptr<batch::graph_core>;

struct graph_state {
    core_ptr core;
    std::vector<std::shared_ptr<loop_mail>> mails;  // of the loops on which its coroutines run, the latest last
};

struct graph_object {
    PyObject_HEAD graph_state* state;
};

mutex alive_mutex;
std::vector<std::weak_ptr<batch::graph_core>> alive HEADRACE_GUARDED_BY(alive_mutex);

PyObject *deps_name, *delay_name, *name_name, *priority_name;
PyObject* partial_type = nullptr;

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

graph_state* state_of(PyObject* self) {
    auto* s = reinterpret_cast<graph_object*>(self)->state;
    if (s == nullptr) PyErr_SetString(PyExc_RuntimeError, "Graph.__init__ was not called");
    return s;
}

PyObject* raise(const failure& why) {
    auto* error = static_cast<PyObject*>(make_exception(why));
    if (error != nullptr) {
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
        Py_DECREF(error);
    }
    return nullptr;
}

template <class F>
PyObject* guarded_call(F&& f) {
    try {
        return f();
    } catch (py::error_already_set& e) {
        e.restore();
    } catch (const failure_error& e) {
        raise({e.code(), e.what()});
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    }
    return nullptr;
}

bool is_async(PyObject* f) {
    if (PyMethod_Check(f) != 0) f = PyMethod_Function(f);
    if (PyFunction_Check(f) != 0) {
        return (reinterpret_cast<PyCodeObject*>(PyFunction_GetCode(f))->co_flags & CO_COROUTINE) != 0;
    }
    if (PyCFunction_Check(f) || PyType_Check(f)) return false;
    PyObject* inner =
        PyObject_GetAttrString(f, reinterpret_cast<PyObject*>(Py_TYPE(f)) == partial_type ? "func" : "__call__");
    if (inner == nullptr) {
        PyErr_Clear();
        return false;
    }
    const bool answer = (PyFunction_Check(inner) || PyMethod_Check(inner) ||
                         reinterpret_cast<PyObject*>(Py_TYPE(inner)) == partial_type) &&
                        is_async(inner);
    Py_DECREF(inner);
    return answer;
}

// Of the running loop; where none runs, of the loop that this graph used last.
std::shared_ptr<loop_mail> mail_for(graph_state& s) {
    PyObject* loop = bridge::running_loop();
    std::erase_if(s.mails, [](const auto& m) { return m->closed(); });
    if (loop == nullptr) {
        if (!s.mails.empty()) return s.mails.back();
        PyErr_SetString(
            PyExc_RuntimeError,
            "there is no running event loop: an async function runs on the loop of the thread that submits it");
        return nullptr;
    }
    for (const auto& m : s.mails) {
        if (m->loop() == loop) return m;
    }
    auto made = loop_mail::make(loop);
    if (made != nullptr) s.mails.push_back(made);
    return made;
}

bool has_loop(const graph_state& s) {
    return bridge::running_loop() != nullptr ||
           std::any_of(s.mails.begin(), s.mails.end(), [](const auto& m) { return !m->closed(); });
}

struct unit_settings {
    PyObject* deps = nullptr;
    PyObject* name = nullptr;
    ns delay{0};
    std::uint8_t priority = 0;
};

// 1: it is one of ours; 0: the function's; -1: an error.
int read_setting(PyObject* name, PyObject* value, unit_settings& out) {
    const auto is = [&](PyObject* known) { return name == known || PyUnicode_Compare(name, known) == 0; };
    if (is(deps_name)) {
        out.deps = value;
        return 1;
    }
    if (is(name_name)) {
        if (value != Py_None && PyUnicode_Check(value) == 0) {
            PyErr_Format(PyExc_TypeError, "name must be a str, not %R", value);
            return -1;
        }
        out.name = value;
        return 1;
    }
    if (is(delay_name)) {
        const double seconds = PyFloat_AsDouble(value);
        if (seconds == -1.0 && PyErr_Occurred() != nullptr) return -1;
        if (!(seconds >= 0.0)) {
            PyErr_Format(PyExc_ValueError, "delay_s must not be negative, got %R", value);
            return -1;
        }
        out.delay = to_ns(seconds);
        return 1;
    }
    if (is(priority_name)) {
        const long p = PyLong_AsLong(value);
        if (p == -1 && PyErr_Occurred() != nullptr) return -1;
        if (p < 0 || p >= batch::graph_node::priorities) {
            PyErr_Format(PyExc_ValueError, "priority must be within 0 and 7, got %R", value);
            return -1;
        }
        out.priority = static_cast<std::uint8_t>(p);
        return 1;
    }
    return 0;
}

void add_dependency(std::vector<batch::node_ref>& to, PyObject* object) {
    if (python_unit* u = unit_of(object)) to.emplace_back(u);
}

// Units among the arguments, and one level down in lists and tuples.
void add_argument(std::vector<batch::node_ref>& to, PyObject* argument) {
    if (PyList_CheckExact(argument) || PyTuple_CheckExact(argument)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(argument); ++i) {
            add_dependency(to, PySequence_Fast_GET_ITEM(argument, i));
        }
    } else {
        add_dependency(to, argument);
    }
}

bool add_deps(std::vector<batch::node_ref>& to, PyObject* deps) {
    if (deps == nullptr || deps == Py_None) return true;
    PyObject* list = PySequence_Fast(deps, "deps must be a sequence of nodes");
    if (list == nullptr) return false;
    bool good = true;
    to.reserve(to.size() + static_cast<std::size_t>(PySequence_Fast_GET_SIZE(list)));
    for (Py_ssize_t i = 0; good && i < PySequence_Fast_GET_SIZE(list); ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(list, i);
        good = unit_of(item) != nullptr;
        if (good) {
            add_dependency(to, item);
        } else {
            PyErr_Format(PyExc_TypeError, "deps must be nodes of a graph, not %R", item);
        }
    }
    Py_DECREF(list);
    return good;
}

// Adds the unit and answers its node. What is refused raises here.
PyObject* enter(batch::graph_core& core, python_unit* u, const unit_settings& settings,
                const std::vector<batch::node_ref>& dependencies) {
    u->set_options(settings.name, settings.delay, settings.priority);
    const bool admitted = core.admit();
    const bool own = core.prepare(*u, dependencies);
    PyObject* node = make_node(u);
    if (!admitted || !own || node == nullptr) [[unlikely]] {
        if (admitted) core.unadmit();
        bridge::pending_result::finish(*u);
        if (node == nullptr) return nullptr;
        Py_DECREF(node);
        return raise(admitted ? core.foreign() : core.why_not());
    }
    u->retain_unshared();
    core.post(*u);
    return node;
}

PyObject* submit(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    graph_state* s = state_of(self);
    if (s == nullptr) return nullptr;
    if (n == 0 || PyCallable_Check(args[0]) == 0) {
        PyErr_SetString(PyExc_TypeError, "submit() needs a function to call");
        return nullptr;
    }
    unit_settings settings;
    std::vector<batch::node_ref> dependencies;
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    PyObject* kept[32];  // values for the function's own names
    PyObject* kept_names[32];
    Py_ssize_t keep = 0;
    for (Py_ssize_t i = 0; i < named; ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        const int ours = read_setting(name, args[n + i], settings);
        if (ours < 0) return nullptr;
        if (ours > 0) continue;
        if (keep == 32) {
            PyErr_SetString(PyExc_TypeError, "submit() passes on at most 32 named arguments");
            return nullptr;
        }
        kept_names[keep] = name;
        kept[keep++] = args[n + i];
    }
    for (Py_ssize_t i = 1; i < n; ++i) add_argument(dependencies, args[i]);
    for (Py_ssize_t i = 0; i < keep; ++i) add_argument(dependencies, kept[i]);
    if (!add_deps(dependencies, settings.deps)) return nullptr;
    std::shared_ptr<loop_mail> mail;
    const bool on_loop = is_async(args[0]) || (bridge::gives_future(args[0]) && has_loop(*s));
    if (on_loop && (mail = mail_for(*s)) == nullptr) return nullptr;

    return guarded_call([&] {
        auto plan = std::make_unique<call_plan>(args[0], args + 1, n - 1, kept, kept_names, keep);
        return enter(*s->core, new python_unit(std::move(plan), std::move(mail)), settings, dependencies);
    });
}

PyObject* sleep(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    graph_state* s = state_of(self);
    if (s == nullptr) return nullptr;
    unit_settings settings;
    if (n != 1) {
        PyErr_SetString(PyExc_TypeError, "sleep() takes one positional argument, the seconds");
        return nullptr;
    }
    if (read_setting(delay_name, args[0], settings) < 0) return nullptr;
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < named; ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_Compare(name, deps_name) != 0 && PyUnicode_Compare(name, name_name) != 0) {
            PyErr_Format(PyExc_TypeError, "sleep() got an unexpected keyword argument %R", name);
            return nullptr;
        }
        if (read_setting(name, args[n + i], settings) < 0) return nullptr;
    }
    std::vector<batch::node_ref> dependencies;
    if (!add_deps(dependencies, settings.deps)) return nullptr;
    return enter(*s->core, new python_unit(nullptr, nullptr), settings, dependencies);
}

bool two_units(PyObject* const* args, Py_ssize_t n, python_unit*& a, python_unit*& b) {
    if (n == 2 && (a = unit_of(args[0])) != nullptr && (b = unit_of(args[1])) != nullptr) return true;
    PyErr_SetString(PyExc_TypeError, "depend() takes two nodes: the one that waits, and the one that it waits for");
    return false;
}

PyObject* depend(PyObject* self, PyObject* const* args, Py_ssize_t n) {
    graph_state* s = state_of(self);
    python_unit *a = nullptr, *b = nullptr;
    if (s == nullptr || !two_units(args, n, a, b)) return nullptr;
    return guarded_call([&] {
        failure bad;
        {
            py::gil_scoped_release nogil;
            bad = s->core->depend(*a, *b);
        }
        return bad ? raise(bad) : Py_NewRef(Py_None);
    });
}

PyObject* cancel(PyObject* self, PyObject* node) {
    graph_state* s = state_of(self);
    python_unit* u = unit_of(node);
    if (s == nullptr) return nullptr;
    if (u == nullptr) {
        PyErr_Format(PyExc_TypeError, "cancel() takes a node, not %R", node);
        return nullptr;
    }
    return guarded_call([&] {
        bool won = false;
        {
            py::gil_scoped_release nogil;
            won = s->core->cancel(*u);
        }
        return PyBool_FromLong(won);
    });
}

PyObject* wait(PyObject* self, PyObject* timeout) {
    graph_state* s = state_of(self);
    const double seconds = PyFloat_AsDouble(timeout);
    if (s == nullptr || (seconds == -1.0 && PyErr_Occurred() != nullptr)) return nullptr;
    if (s->core->running_here()) {
        PyErr_SetString(PyExc_RuntimeError, "a unit cannot wait for its whole graph");
        return nullptr;
    }
    return guarded_call(
        [&] { return PyBool_FromLong(wait_for(to_ns(seconds), [&](ns slice) { return s->core->wait_idle(slice); })); });
}

class idle_result final : public bridge::pending_result {
public:
    PyObject* to_python() override { return Py_NewRef(Py_None); }
};

PyObject* idle(PyObject* self, PyObject*) {
    graph_state* s = state_of(self);
    if (s == nullptr) return nullptr;
    auto* r = new idle_result;
    PyObject* future = bridge::make_future(r);
    if (future == nullptr) return nullptr;
    return guarded_call([&] {
        py::gil_scoped_release nogil;
        s->core->when_idle([r] { bridge::pending_result::finish(*r); });
        return future;
    });
}

PyObject* close(PyObject* self, PyObject* cancel_waiting) {
    graph_state* s = state_of(self);
    const int truth = PyObject_IsTrue(cancel_waiting);
    if (s == nullptr || truth < 0) return nullptr;
    return guarded_call([&] {
        py::gil_scoped_release nogil;
        s->core->close(truth != 0 ? stop_mode::cancel : stop_mode::drain);
        return Py_NewRef(Py_None);
    });
}

PyObject* add_activity(PyObject* self, PyObject* number) {
    graph_state* s = state_of(self);
    const long n = PyLong_AsLong(number);
    if (s == nullptr || (n == -1 && PyErr_Occurred() != nullptr)) return nullptr;
    s->core->add_activity(static_cast<int>(n));
    Py_RETURN_NONE;
}

PyObject* stats(PyObject* self, PyObject*) {
    graph_state* s = state_of(self);
    if (s == nullptr) return nullptr;
    return guarded_call([&] {
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
    graph_state* s = state_of(self);
    if (s == nullptr) return nullptr;
    return guarded_call([&] {
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
    graph_state* s = state_of(self);
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
    PyObject* done = guarded_call([&] {
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
    {"submit", as_method(submit), METH_FASTCALL | METH_KEYWORDS,
     "submit($self, fn, /, *args, deps=(), delay_s=0.0, name=None, priority=0, **kwargs)\n--\n\n"
     "Call `fn(*args, **kwargs)` once everything that it depends on is done; a Node.\n\n"
     "Nodes among the arguments (also inside a list or tuple) are dependencies, and their results are passed in their\n"
     "place; `deps` are dependencies without that. A plain function runs on a worker thread, an `async def` function\n"
     "or a batcher on the event loop of the thread that submits. `delay_s` seconds pass before, on a timer, without a\n"
     "thread. Ready units of a higher `priority`, 0 to 7, go first. Raises Closed, QueueFull, Forked, InvalidArgument "
     "(a node of another\n"
     "graph), RuntimeError (async, and no loop)."},
    {"sleep", as_method(sleep), METH_FASTCALL | METH_KEYWORDS,
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
    deps_name = PyUnicode_InternFromString("deps");
    delay_name = PyUnicode_InternFromString("delay_s");
    name_name = PyUnicode_InternFromString("name");
    priority_name = PyUnicode_InternFromString("priority");
    partial_type = py::object(py::module_::import("functools").attr("partial")).release().ptr();
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
