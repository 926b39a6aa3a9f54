#include "thread_executor.hpp"

#include <new>

#include "../errors.hpp"
#include "../waiting.hpp"
#include "executor_object.hpp"
#include "future_type.hpp"
#include "thread_engine.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

struct executor_object {
    PyObject_HEAD std::shared_ptr<thread_engine> engine;
    ns deadline;
    bool waits_for_room;
};

executor_object* as_executor(PyObject* self) {
    return reinterpret_cast<executor_object*>(self);
}

thread_engine* engine_of(PyObject* self) {
    auto* engine = as_executor(self)->engine.get();
    if (engine == nullptr) PyErr_SetString(PyExc_RuntimeError, "ThreadExecutor.__init__ was not called");
    return engine;
}

bool wait_for_room(thread_engine& engine, ns timeout) {
    try {
        return wait_for(timeout, [&](ns slice) { return engine.wait_room(slice); }) ||
               raise_failure(failure::of(errc::timed_out, "no room in the queue before the deadline")) != nullptr;
    } catch (py::error_already_set& e) {
        e.restore();
        return false;
    }
}

// Takes `args` and `kwargs` over. The call enters the queue with the GIL held: its lock is a leaf; only a thread that must
// be woken for it is woken without.
PyObject* start(PyObject* self, PyObject* function, PyObject* args, PyObject* kwargs, ns deadline) {
    auto* c = new thread_call(as_executor(self)->engine, Py_NewRef(function), args, kwargs);
    PyObject* const future = PyCallable_Check(function) != 0
                                 ? make_exec_future(*c, self)
                                 : PyErr_Format(PyExc_TypeError, "%R is not callable", function);
    if (future == nullptr) {
        c->release();
        return nullptr;
    }
    if (deadline != ns::max()) c->deadline = monotonic_now() + deadline;
    c->retain();
    auto& engine = *as_executor(self)->engine;
    failure why = engine.submit(*c);
    while (why.code == errc::queue_full && as_executor(self)->waits_for_room) {
        if (!wait_for_room(engine, deadline)) {
            c->release();
            Py_DECREF(future);
            return nullptr;
        }
        why = engine.submit(*c);
    }
    if (!why) return future;
    c->release();
    Py_DECREF(future);
    return raise_failure(why);
}

PyObject* submit(PyObject* self, PyObject* const* given, Py_ssize_t n, PyObject* names) {
    PyObject *function, *args, *kwargs;
    if (engine_of(self) == nullptr || !read_submit(given, n, names, function, args, kwargs)) return nullptr;
    return start(self, function, args, kwargs, as_executor(self)->deadline);
}

PyObject* apply(PyObject* self, PyObject* given, PyObject* names) {
    PyObject *function, *args, *kwargs;
    double deadline = -1;
    if (engine_of(self) == nullptr || !read_apply(given, names, function, args, kwargs, deadline)) return nullptr;
    PyObject* const all = args == nullptr ? PyTuple_New(0) : Py_NewRef(args);
    if (all == nullptr) return nullptr;
    return start(self, function, all, Py_XNewRef(kwargs), deadline < 0 ? as_executor(self)->deadline : to_ns(deadline));
}

PyObject* close(PyObject* self, PyObject* cancel) {
    thread_engine* const engine = engine_of(self);
    const int truth = engine == nullptr ? -1 : PyObject_IsTrue(cancel);
    if (truth < 0) return nullptr;
    engine->close(truth != 0 ? stop_mode::cancel : stop_mode::drain);
    Py_RETURN_NONE;
}

PyObject* wait_closed(PyObject* self, PyObject* timeout) {
    thread_engine* const engine = engine_of(self);
    const double seconds = engine == nullptr ? -1 : timeout == Py_None ? 1e12 : PyFloat_AsDouble(timeout);
    if (engine == nullptr || (seconds == -1 && PyErr_Occurred() != nullptr)) return nullptr;
    try {
        return PyBool_FromLong(wait_for(to_ns(seconds), [&](ns slice) { return engine->wait_closed(slice); }));
    } catch (py::error_already_set& e) {
        e.restore();
        return nullptr;
    }
}

PyObject* stats(PyObject* self, PyObject*) {
    thread_engine* const engine = engine_of(self);
    if (engine == nullptr) return nullptr;
    const auto s = engine->stats();
    py::dict d;
    d["submitted"] = s.submitted;
    d["completed"] = s.completed;
    d["cancelled"] = s.cancelled;
    d["timed_out"] = s.timed_out;
    d["waiting"] = s.waiting;
    d["running"] = s.running;
    d["threads"] = s.threads;
    return d.release().ptr();
}

PyObject* get_closed(PyObject* self, void*) {
    thread_engine* const engine = engine_of(self);
    return engine == nullptr ? nullptr : PyBool_FromLong(engine->closed());
}

int init(PyObject* self, PyObject* args, PyObject*) {
    PyObject* settings = nullptr;
    if (PyArg_ParseTuple(args, "O!", &PyDict_Type, &settings) == 0) return -1;
    auto* object = as_executor(self);
    if (object->engine) {
        PyErr_SetString(PyExc_RuntimeError, "__init__ was called before");
        return -1;
    }
    try {
        const auto d = py::reinterpret_borrow<py::dict>(settings);
        const auto set_up = d["set_up"].cast<py::object>();
        const auto on_full = d["on_full"].cast<std::string>();
        const double deadline = d["deadline"].is_none() ? -1 : d["deadline"].cast<double>();
        object->deadline = deadline < 0 ? ns::max() : to_ns(deadline);
        object->waits_for_room = on_full == "wait";
        object->engine = std::make_shared<thread_engine>(thread_engine::options{
            d["max_workers"].cast<std::size_t>(), d["max_queue_size"].cast<std::size_t>(),
            d["name"].cast<std::string>(), set_up.is_none() ? nullptr : Py_NewRef(set_up.ptr())});
        return 0;
    } catch (py::error_already_set& e) {
        e.restore();
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    }
    return -1;
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
    PyObject* const self = type->tp_alloc(type, 0);
    if (self != nullptr) new (&as_executor(self)->engine) std::shared_ptr<thread_engine>;
    return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    const auto& engine = as_executor(self)->engine;
    Py_VISIT(Py_TYPE(self));
    return engine && engine.use_count() == 1 ? engine->traverse(visit, arg) : 0;
}

// Calls that were accepted still run: they and the threads that are at them keep the engine.
void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (auto engine = std::exchange(as_executor(self)->engine, nullptr)) engine->close(stop_mode::drain);
    as_executor(self)->engine.~shared_ptr();
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"submit", as_method(submit), METH_FASTCALL | METH_KEYWORDS,
     "submit($self, fn, /, *args, **kwargs)\n--\n\nCalls fn(*args, **kwargs) in a thread: a Future.\n\n"
     "Raises Closed (a RuntimeError) after shutdown, QueueFull, Forked."},
    {"apply", as_method(apply), METH_VARARGS | METH_KEYWORDS,
     "apply($self, fn, args=(), kwargs=None, *, deadline=None)\n--\n\nsubmit() with a deadline of its own.\n\n"
     "`deadline`: seconds from now. A call that has not begun by then fails with DeadlineExceeded; one that runs goes "
     "on,\n"
     "because a thread cannot be stopped."},
    {"_close", close, METH_O, nullptr},
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
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.exec.ThreadPool", sizeof(executor_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

void register_thread_executor(py::module_& m) {
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw py::error_already_set();
    m.attr("ThreadPool") = py::reinterpret_steal<py::object>(type);
}

}  // namespace headrace::bindings
