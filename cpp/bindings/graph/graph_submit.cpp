// How a call becomes a unit of a graph: its settings, its dependencies, and where it will run.
#include <algorithm>

#include "../bridge/asyncio_names.hpp"
#include "../bridge/future.hpp"
#include "../waiting.hpp"
#include "graph_object.hpp"
#include "node_type.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

PyObject *deps_name, *delay_name, *name_name, *priority_name;
PyObject* partial_type = nullptr;

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

}  // namespace

PyObject* graph_submit(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    graph_state* s = graph_state_of(self);
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

    return guarded_graph_call([&] {
        auto plan = std::make_unique<call_plan>(args[0], args + 1, n - 1, kept, kept_names, keep);
        return enter(*s->core, new python_unit(std::move(plan), std::move(mail)), settings, dependencies);
    });
}

PyObject* graph_sleep(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    graph_state* s = graph_state_of(self);
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

void prepare_graph_submit() {
    deps_name = PyUnicode_InternFromString("deps");
    delay_name = PyUnicode_InternFromString("delay_s");
    name_name = PyUnicode_InternFromString("name");
    priority_name = PyUnicode_InternFromString("priority");
    partial_type = py::object(py::module_::import("functools").attr("partial")).release().ptr();
}

}  // namespace headrace::bindings
