// headrace._core.batch.Batcher: the C type below the Python class. The calls that happen per item are plain C functions.
#include "batcher_type.hpp"

#include <cstddef>

#include "../bridge/future.hpp"
#include "../errors.hpp"
#include "../waiting.hpp"
#include "core.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

struct batcher_object {
    PyObject_HEAD batch_core* core;
};

batch_core* core_of(PyObject* self) {
    auto* core = reinterpret_cast<batcher_object*>(self)->core;
    if (core == nullptr) PyErr_SetString(PyExc_RuntimeError, "Batcher.__init__ was not called");
    return core;
}

// Runs f(core); C++ exceptions become Python's.
template <class F>
PyObject* guarded_call(PyObject* self, F&& f) {
    auto* core = core_of(self);
    if (core == nullptr) return nullptr;
    try {
        return f(*core);
    } catch (py::error_already_set& e) {
        e.restore();
    } catch (const failure_error& e) {
        auto* error = static_cast<PyObject*>(make_exception({e.code(), e.what()}));
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
        Py_DECREF(error);
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    }
    return nullptr;
}

PyObject *timeout_name, *priority_name, *exceptions_name, *item_name, *items_name;

struct arguments {
    PyObject* subject = nullptr;
    call_options options;
    bool errors_are_values = false;
};

bool read_timeout(PyObject* value, ns& out) {
    if (value == Py_None) return true;
    const double seconds = PyFloat_AsDouble(value);
    if (seconds == -1.0 && PyErr_Occurred() != nullptr) return false;
    if (!(seconds >= 0.0)) {
        PyErr_Format(PyExc_ValueError, "timeout must not be negative, got %R", value);
        return false;
    }
    out = seconds < 9.0e9 ? to_ns(seconds) : ns::max();
    return true;
}

bool read_priority(PyObject* value, std::int16_t& out) {
    const long number = PyLong_AsLong(value);
    if (number == -1 && PyErr_Occurred() != nullptr) return false;
    if (number < INT16_MIN || number > INT16_MAX) {
        PyErr_Format(PyExc_ValueError, "priority must be within -32768 and 32767, got %R", value);
        return false;
    }
    out = static_cast<std::int16_t>(number);
    return true;
}

bool read_named(PyObject* name, PyObject* value, PyObject* subject_name, arguments& out) {
    const auto is = [&](PyObject* known) { return name == known || PyUnicode_Compare(name, known) == 0; };
    if (is(timeout_name)) return read_timeout(value, out.options.timeout);
    if (is(priority_name)) return read_priority(value, out.options.priority);
    if (is(subject_name) && out.subject == nullptr) {
        out.subject = value;
        return true;
    }
    if (subject_name == items_name && is(exceptions_name)) {
        const int truth = PyObject_IsTrue(value);
        out.errors_are_values = truth > 0;
        return truth >= 0;
    }
    PyErr_Format(PyExc_TypeError, "unexpected keyword argument %R", name);
    return false;
}

bool read_arguments(PyObject* const* args, Py_ssize_t n, PyObject* names, PyObject* subject_name, arguments& out) {
    if (n > 1) {
        PyErr_Format(PyExc_TypeError, "takes one positional argument, %U, but %zd were given", subject_name, n);
        return false;
    }
    if (n == 1) out.subject = args[0];
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < named; ++i) {
        if (!read_named(PyTuple_GET_ITEM(names, i), args[n + i], subject_name, out)) return false;
    }
    if (out.subject != nullptr) return true;
    PyErr_Format(PyExc_TypeError, "missing the argument %U", subject_name);
    return false;
}

PyObject* submit(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    auto* core = core_of(self);
    if (core == nullptr) return nullptr;
    arguments a{nullptr, core->defaults()};
    if (!read_arguments(args, n, names, item_name, a)) return nullptr;
    return core->submit(a.subject, a.options);
}

PyObject* map(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
    auto* core = core_of(self);
    if (core == nullptr) return nullptr;
    arguments a{nullptr, core->defaults()};
    if (!read_arguments(args, n, names, items_name, a)) return nullptr;
    return core->map(a.subject, a.options, a.errors_are_values);
}

PyObject* call(PyObject* self, PyObject* args, PyObject* keywords) {
    if (keywords == nullptr && PyTuple_GET_SIZE(args) == 1) {
        auto* core = core_of(self);
        return core == nullptr ? nullptr : core->submit(PyTuple_GET_ITEM(args, 0), core->defaults());
    }
    auto* core = core_of(self);
    if (core == nullptr) return nullptr;
    arguments a{nullptr, core->defaults()};
    if (!read_arguments(&PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), nullptr, item_name, a) &&
        (PyTuple_GET_SIZE(args) != 0 || keywords == nullptr))
        return nullptr;
    PyErr_Clear();
    PyObject *name, *value;
    for (Py_ssize_t at = 0; keywords != nullptr && PyDict_Next(keywords, &at, &name, &value) != 0;) {
        if (!read_named(name, value, item_name, a)) return nullptr;
    }
    if (a.subject == nullptr) {
        PyErr_SetString(PyExc_TypeError, "missing the argument item");
        return nullptr;
    }
    return core->submit(a.subject, a.options);
}

PyObject* configure(PyObject* self, PyObject* limits) {
    return guarded_call(self, [&](batch_core& core) {
        core.configure(py::reinterpret_borrow<py::dict>(limits));
        return Py_NewRef(Py_None);
    });
}

PyObject* stats(PyObject* self, PyObject*) {
    return guarded_call(self, [](batch_core& core) { return core.stats().release().ptr(); });
}

PyObject* close(PyObject* self, PyObject* cancel) {
    const int truth = PyObject_IsTrue(cancel);
    if (truth < 0) return nullptr;
    return guarded_call(self, [&](batch_core& core) { return core.close(truth != 0); });
}

PyObject* clear_cache(PyObject* self, PyObject* const* args, Py_ssize_t n) {
    auto* core = core_of(self);
    if (core == nullptr) return nullptr;
    if (n > 1) {
        PyErr_SetString(PyExc_TypeError, "clear() takes one argument at most, a key");
        return nullptr;
    }
    if (n == 0) core->cache().clear();
    if (n == 1 && core->cache().forget(args[0]) < 0) return nullptr;
    Py_RETURN_NONE;
}

PyObject* prime(PyObject* self, PyObject* const* args, Py_ssize_t n) {
    auto* core = core_of(self);
    if (core == nullptr) return nullptr;
    if (n != 2) {
        PyErr_SetString(PyExc_TypeError, "prime() takes a key and a result");
        return nullptr;
    }
    if (!core->cache().enabled()) {
        PyErr_SetString(PyExc_ValueError, "this batcher has no cache; give it one with cache=");
        return nullptr;
    }
    if (core->cache().put(args[0], args[1]) < 0) return nullptr;
    Py_RETURN_NONE;
}

PyObject* get_closed(PyObject* self, void*) {
    auto* core = core_of(self);
    return core == nullptr ? nullptr : PyBool_FromLong(core->closed());
}

int init(PyObject* self, PyObject* args, PyObject*) {
    PyObject *function, *settings;
    int is_async = 0;
    if (PyArg_ParseTuple(args, "OpO!", &function, &is_async, &PyDict_Type, &settings) == 0) return -1;
    auto* object = reinterpret_cast<batcher_object*>(self);
    if (object->core != nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "Batcher.__init__ was called before");
        return -1;
    }
    try {
        object->core = new batch_core(py::reinterpret_borrow<py::object>(function), is_async != 0,
                                      py::reinterpret_borrow<py::dict>(settings));
    } catch (py::error_already_set& e) {
        e.restore();
        return -1;
    } catch (const std::exception& e) {
        auto* error = static_cast<PyObject*>(make_exception(failure::of(errc::invalid_argument, e.what())));
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
        Py_DECREF(error);
        return -1;
    }
    return 0;
}

// What the core holds is this object's as long as no call is under way.
int traverse(PyObject* self, visitproc visit, void* arg) {
    auto* core = reinterpret_cast<batcher_object*>(self)->core;
    Py_VISIT(Py_TYPE(self));
    if (core != nullptr && !core->shared()) return core->traverse(visit, arg);
    return 0;
}

int clear(PyObject* self) {
    auto* core = std::exchange(reinterpret_cast<batcher_object*>(self)->core, nullptr);
    if (core != nullptr) {
        core->abandon();
        core->release();
    }
    return 0;
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

template <class F>
PyCFunction as_method(F* f) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef methods[] = {
    {"submit", as_method(submit), METH_FASTCALL | METH_KEYWORDS,
     "submit($self, /, item, *, timeout=None, priority=0)\n--\n\n"
     "One call: a Future to await in a coroutine, or to ask for `.result(timeout)` in a thread.\n\n"
     "Cancelling it gives up this call alone. `timeout`: seconds until it fails with DeadlineExceeded, whatever the\n"
     "function does; the batcher's own when None. Higher priorities go first. Raises Closed, Forked, RuntimeError (an\n"
     "async function, and no event loop runs here)."},
    {"map", as_method(map), METH_FASTCALL | METH_KEYWORDS,
     "map($self, /, items, *, timeout=None, priority=0, return_exceptions=False)\n--\n\n"
     "Many calls at once: a Future of the list of their results, in order.\n\n"
     "The first error is raised, unless `return_exceptions`: then errors are values in the list."},
    {"clear", as_method(clear_cache), METH_FASTCALL,
     "clear($self, key=..., /)\n--\n\nForget the cached result of a key, or all of them."},
    {"prime", as_method(prime), METH_FASTCALL,
     "prime($self, key, result, /)\n--\n\nPut a result into the cache. Raises ValueError without one."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {"_configure", configure, METH_O, nullptr},
    {"_stats", stats, METH_NOARGS, nullptr},
    {"_close", close, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"closed", get_closed, nullptr, "Whether it takes no more calls.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_init, reinterpret_cast<void*>(init)},
    {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
    {Py_tp_call, reinterpret_cast<void*>(call)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.batch.Batcher", sizeof(batcher_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

void register_batcher_type(py::module_& m) {
    timeout_name = PyUnicode_InternFromString("timeout");
    priority_name = PyUnicode_InternFromString("priority");
    exceptions_name = PyUnicode_InternFromString("return_exceptions");
    item_name = PyUnicode_InternFromString("item");
    items_name = PyUnicode_InternFromString("items");
    PyObject* type = PyType_FromSpec(&spec);
    if (type == nullptr) throw py::error_already_set();
    bridge::calls_give_futures(reinterpret_cast<PyTypeObject*>(type));
    m.attr("Batcher") = py::reinterpret_steal<py::object>(type);
}

}  // namespace headrace::bindings
