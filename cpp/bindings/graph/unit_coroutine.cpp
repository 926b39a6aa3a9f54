// What a Task sees as the coroutine of a unit: every step goes through here, so the graph knows when the unit waits.
//
// A unit's error stays with the unit, and the Task ends normally: who asks for the unit gets it, and nothing is reported as
// never retrieved. Only a cancel, and what must leave the loop (KeyboardInterrupt, SystemExit), go on to the Task.
#include "../bridge/asyncio_names.hpp"
#include "../coroutine.hpp"
#include "loop_mail.hpp"
#include "unit.hpp"

namespace headrace::bindings {
namespace {

struct unit_coroutine {
    PyObject_HEAD PyObject* inner;
    python_unit* unit;  // counted as a node
};

unit_coroutine* of(PyObject* self) {
    return reinterpret_cast<unit_coroutine*>(self);
}

// After a step: what goes on to the Task.
PySendResult after(PyObject* self, PySendResult how, PyObject** out) {
    python_unit& u = *of(self)->unit;
    switch (how) {
        case PYGEN_NEXT: u.deactivate(); return how;
        case PYGEN_RETURN:
            if (u.ended()) {
                Py_DECREF(*out);
            } else {
                u.end_with_value(*out);
            }
            *out = Py_NewRef(Py_None);
            return how;
        case PYGEN_ERROR: break;
    }
    const auto* names = bridge::names();
    const bool goes_on = (names != nullptr && PyErr_ExceptionMatches(names->cancelled_error) != 0) ||
                         PyErr_ExceptionMatches(PyExc_Exception) == 0;
    if (goes_on) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyErr_NormalizeException(&type, &value, &trace);
        PyErr_Restore(Py_XNewRef(type), Py_XNewRef(value), Py_XNewRef(trace));
        if (!u.ended()) u.end_with_error();
        PyErr_Restore(type, value, trace);
        return PYGEN_ERROR;
    }
    if (u.ended()) {
        PyErr_Clear();
    } else {
        u.end_with_error();
    }
    *out = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

PySendResult step(PyObject* self, PyObject* value, PyObject** out) {
    python_unit& u = *of(self)->unit;
    u.activate();
    PySendResult how;
    {
        const current_scope here(&u);
        how = PyIter_Send(of(self)->inner, value, out);
    }
    return after(self, how, out);
}

PyObject* send(PyObject* self, PyObject* value) {
    PyObject* out = nullptr;
    const PySendResult how = step(self, value, &out);
    return as_method_result(how, out);
}

PyObject* next(PyObject* self) {
    return send(self, Py_None);
}

PyObject* throw_in(PyObject* self, PyObject* args) {
    python_unit& u = *of(self)->unit;
    u.activate();
    PyObject* out = nullptr;
    PySendResult how = PYGEN_ERROR;
    {
        const current_scope here(&u);
        how = throw_into(of(self)->inner, args, &out);
    }
    how = after(self, how, &out);
    return as_method_result(how, out);
}

PyObject* close(PyObject* self, PyObject*) {
    PyObject* done = PyObject_CallMethod(of(self)->inner, "close", nullptr);
    if (!of(self)->unit->ended()) {
        of(self)->unit->end_with(
            failure::of(errc::closed, "unit " + of(self)->unit->label() + " was closed by its event loop"));
    }
    return done;
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    python_unit* u = of(self)->unit;
    if (u != nullptr && !u->ended()) {
        u->end_with(failure::of(errc::closed, "the event loop dropped unit " + u->label() + " before it ended"));
    }
    Py_CLEAR(of(self)->inner);
    if (u != nullptr) batch::graph_node::release(u);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self)->inner);
    return 0;
}

int clear(PyObject* self) {
    Py_CLEAR(of(self)->inner);
    return 0;
}

PyObject* get_name(PyObject* self, void*) {
    const std::string name = of(self)->unit->label();
    return PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
}

PyMethodDef methods[] = {
    {"send", send, METH_O, nullptr},
    {"throw", throw_in, METH_VARARGS, nullptr},
    {"close", close, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef attributes[] = {
    {"__name__", get_name, nullptr, nullptr, nullptr},
    {"__qualname__", get_name, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_am_await, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_am_send, reinterpret_cast<void*>(step)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(next)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.graph.UnitCoroutine", sizeof(unit_coroutine), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
PyTypeObject* coroutine_type = nullptr;

}  // namespace

PyObject* make_unit_coroutine(python_unit& u, PyObject* coroutine) {
    auto* self = PyObject_GC_New(unit_coroutine, coroutine_type);
    if (self == nullptr) {
        Py_DECREF(coroutine);
        return nullptr;
    }
    self->inner = coroutine;
    self->unit = &u;
    static_cast<batch::graph_node&>(u).retain();
    PyObject_GC_Track(reinterpret_cast<PyObject*>(self));
    return reinterpret_cast<PyObject*>(self);
}

void register_unit_coroutine(pybind11::module_&) {
    coroutine_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (coroutine_type == nullptr) throw pybind11::error_already_set();
}

}  // namespace headrace::bindings
