#include "node_type.hpp"

#include <structmember.h>

#include <cstddef>

#include "../bridge/future.hpp"
#include "../python_error.hpp"

namespace headrace::bindings {
namespace {

struct node_object {
    PyObject_HEAD python_unit* unit;  // counted as a node
    PyObject* future;                 // null until somebody awaits or waits; until then the Future's reference is ours
    PyObject* weak_references;
};

PyTypeObject* node_type = nullptr;

node_object* of(PyObject* self) {
    return reinterpret_cast<node_object*>(self);
}

// Borrowed; most nodes are never asked for one.
PyObject* future_of(PyObject* self) {
    auto* n = of(self);
    if (n->future == nullptr) {
        n->unit->keep();  // make_future() drops two references when it fails
        n->unit->keep();
        n->future = bridge::make_future(n->unit);
        if (n->future != nullptr) {
            n->unit->release_with_gil();
            n->unit->release_with_gil();
        }
    }
    return n->future;
}

// A unit that waits for another one: a cycle is an error, and the graph knows what it waits for.
bool wait_from_unit(python_unit& other) {
    python_unit* const here = current_unit();
    if (here == nullptr || other.decided()) return true;
    failure bad;
    {
        pybind11::gil_scoped_release nogil;
        bad = here->core().await_unit(*here, other);
    }
    if (!bad) return true;
    raise(bad);
    return false;
}

template <class F>
PyCFunction as_method(F* f) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyObject* forward(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    PyObject* future = future_of(self);
    PyObject* method = future == nullptr ? nullptr : PyObject_GetAttrString(future, name);
    if (method == nullptr) return nullptr;
    PyObject* out = PyObject_Vectorcall(method, args, static_cast<std::size_t>(n), names);
    Py_DECREF(method);
    return out;
}

PyObject* result(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    auto* node = of(self);
    if (node->future == nullptr && node->unit->decided()) return node->unit->to_python();
    if (!wait_from_unit(*node->unit)) return nullptr;
    return forward(self, "result", args, n, names);
}

PyObject* exception(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    if (!wait_from_unit(*of(self)->unit)) return nullptr;
    return forward(self, "exception", args, n, names);
}

PyObject* add_done_callback(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    if (!wait_from_unit(*of(self)->unit)) return nullptr;
    return forward(self, "add_done_callback", args, n, names);
}

PyObject* cancel(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    return forward(self, "cancel", args, n, names);
}

PyObject* remove_done_callback(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    return forward(self, "remove_done_callback", args, n, names);
}

PyObject* get_loop(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    return forward(self, "get_loop", args, n, names);
}

PyObject* done(PyObject* self, PyObject*) {
    auto* n = of(self);
    return PyBool_FromLong(n->unit->decided() || static_cast<bridge::pending_result*>(n->unit)->done());
}

PyObject* cancelled(PyObject* self, PyObject*) {
    auto* n = of(self);
    return PyBool_FromLong(n->unit->state() == batch::unit_state::cancelled ||
                           static_cast<bridge::pending_result*>(n->unit)->cancelled());
}

PyObject* await(PyObject* self) {
    if (!wait_from_unit(*of(self)->unit)) return nullptr;
    PyObject* future = future_of(self);
    if (future == nullptr) return nullptr;
    return Py_TYPE(future)->tp_as_async->am_await(future);
}

PyObject* get_future(PyObject* self, void*) {
    return Py_XNewRef(future_of(self));
}

PyObject* get_name(PyObject* self, void*) {
    const std::string_view name = of(self)->unit->name();
    if (name.empty()) Py_RETURN_NONE;
    return PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
}

PyObject* get_id(PyObject* self, void*) {
    return PyLong_FromUnsignedLong(of(self)->unit->id());
}

const char* state_name(const python_unit& u) {
    switch (u.state()) {
        case batch::unit_state::pending: return "pending";
        case batch::unit_state::done: return "done";
        case batch::unit_state::failed: return "failed";
        case batch::unit_state::cancelled: return "cancelled";
    }
    return "";
}

PyObject* get_state(PyObject* self, void*) {
    return PyUnicode_FromString(state_name(*of(self)->unit));
}

PyObject* get_blocking(PyObject* self, void*) {
    PyObject* future = future_of(self);
    return future == nullptr ? nullptr : PyObject_GetAttrString(future, "_asyncio_future_blocking");
}

int set_blocking(PyObject* self, PyObject* value, void*) {
    PyObject* future = future_of(self);
    return future == nullptr ? -1 : PyObject_SetAttrString(future, "_asyncio_future_blocking", value);
}

PyObject* repr(PyObject* self) {
    python_unit& u = *of(self)->unit;
    const std::string label = u.label();
    return PyUnicode_FromFormat("<Node %s %s>", label.c_str(), state_name(u));
}

// What else a Future has.
PyObject* get_attribute(PyObject* self, PyObject* name) {
    PyObject* found = PyObject_GenericGetAttr(self, name);
    if (found != nullptr || PyErr_ExceptionMatches(PyExc_AttributeError) == 0) return found;
    const char* text = PyUnicode_AsUTF8(name);
    if (text != nullptr && text[0] == '_' && text[1] == '_') return nullptr;
    PyErr_Clear();
    PyObject* future = future_of(self);
    return future == nullptr ? nullptr : PyObject_GetAttr(future, name);
}

// A node stands for its Future: asyncio hands the Future to callbacks and looks it up in its sets.
Py_hash_t hash(PyObject* self) {
    PyObject* future = future_of(self);
    return future == nullptr ? -1 : PyObject_Hash(future);
}

PyObject* compare(PyObject* self, PyObject* other, int operation) {
    if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
    PyObject* mine = future_of(self);
    if (mine == nullptr) return nullptr;
    const bool same = self == other || mine == other || (Py_TYPE(other) == node_type && of(other)->future == mine);
    return PyBool_FromLong(same == (operation == Py_EQ));
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    auto* n = of(self);
    PyObject_GC_UnTrack(self);
    if (n->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    python_unit* const u = n->unit;
    if (n->future == nullptr) {
        u->release_with_gil();
    } else {
        Py_DECREF(n->future);
    }
    batch::graph_node::release(u);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self)->future);
    return 0;
}

PyMethodDef methods[] = {
    {"result", as_method(result), METH_FASTCALL | METH_KEYWORDS,
     "result($self, /, timeout=None)\n--\n\n"
     "The function's result; in a thread, waits for it. Raises what the function raised, DependencyFailed when "
     "something\n"
     "it depends on failed (that is the __cause__), Cancelled, TimeoutError after `timeout` seconds."},
    {"exception", as_method(exception), METH_FASTCALL | METH_KEYWORDS,
     "exception($self, /, timeout=None)\n--\n\nWhat result() would raise, or None."},
    {"done", done, METH_NOARGS, "done($self, /)\n--\n\nWhether it is decided: done, failed or cancelled."},
    {"cancelled", cancelled, METH_NOARGS, "cancelled($self, /)\n--\n\nWhether it was cancelled."},
    {"cancel", as_method(cancel), METH_FASTCALL | METH_KEYWORDS,
     "cancel($self, /, msg=None)\n--\n\nGive it up, as Graph.cancel() does. False when it was decided."},
    {"add_done_callback", as_method(add_done_callback), METH_FASTCALL | METH_KEYWORDS,
     "add_done_callback($self, fn, /, *, context=None)\n--\n\nCall `fn(future)` on the running loop when it is "
     "decided."},
    {"remove_done_callback", as_method(remove_done_callback), METH_FASTCALL | METH_KEYWORDS,
     "remove_done_callback($self, fn, /)\n--\n\nTake every such callback back; how many there were."},
    {"get_loop", as_method(get_loop), METH_FASTCALL | METH_KEYWORDS,
     "get_loop($self, /)\n--\n\nThe loop on which it is awaited; RuntimeError before that."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef attributes[] = {
    {"future", get_future, nullptr, "Its headrace.Future.", nullptr},
    {"name", get_name, nullptr, "The name that it was given, or None.", nullptr},
    {"id", get_id, nullptr, "Its number in the graph, from 1; 0 until the graph has taken it.", nullptr},
    {"state", get_state, nullptr, "pending, done, failed or cancelled.", nullptr},
    {"_asyncio_future_blocking", get_blocking, set_blocking, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(node_object, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
    {Py_tp_hash, reinterpret_cast<void*>(hash)},
    {Py_tp_richcompare, reinterpret_cast<void*>(compare)},
    {Py_tp_repr, reinterpret_cast<void*>(repr)},
    {Py_am_await, reinterpret_cast<void*>(await)},
    {Py_tp_iter, reinterpret_cast<void*>(await)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {Py_tp_doc, const_cast<char*>("A unit of a Graph: await it, or ask for its .result(timeout) in a thread.")},
    {0, nullptr},
};
PyType_Spec spec = {"headrace.Node", sizeof(node_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

python_unit* unit_of(PyObject* object) noexcept {
    return Py_TYPE(object) == node_type ? of(object)->unit : nullptr;
}

PyObject* make_node(python_unit* u) {
    auto* self = PyObject_GC_New(node_object, node_type);
    if (self == nullptr) {
        u->release_with_gil();
        batch::graph_node::release(u);
        return nullptr;
    }
    self->unit = u;
    self->future = nullptr;
    self->weak_references = nullptr;
    PyObject_GC_Track(reinterpret_cast<PyObject*>(self));
    return reinterpret_cast<PyObject*>(self);
}

void register_node_type(pybind11::module_& m) {
    node_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (node_type == nullptr || PyModule_AddObjectRef(m.ptr(), "Node", reinterpret_cast<PyObject*>(node_type)) < 0) {
        throw pybind11::error_already_set();
    }
}

}  // namespace headrace::bindings
