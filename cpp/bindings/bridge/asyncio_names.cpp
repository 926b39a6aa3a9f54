#include "asyncio_names.hpp"

#include <atomic>
#include <cstring>

#include "loop_port.hpp"

namespace headrace::bridge {
namespace {

asyncio_names cache{};
PyObject* context_keyword = nullptr;  // ("context",)

PyObject* attribute(const char* module, const char* name) {
    PyObject* m = PyImport_ImportModule(module);
    if (m == nullptr) return nullptr;
    PyObject* value = PyObject_GetAttrString(m, name);
    Py_DECREF(m);
    return value;
}

bool import() {
    PyObject* task = attribute("asyncio", "Task");
    PyObject* cancelled = task == nullptr ? nullptr : attribute("asyncio", "CancelledError");
    PyObject* invalid = cancelled == nullptr ? nullptr : attribute("asyncio", "InvalidStateError");
    PyObject* running = invalid == nullptr ? nullptr : attribute("asyncio", "_get_running_loop");
    PyObject* keyword = running == nullptr ? nullptr : Py_BuildValue("(s)", "context");
    if (keyword == nullptr || !PyType_Check(task)) {
        for (PyObject* o : {task, cancelled, invalid, running, keyword}) Py_XDECREF(o);
        if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "asyncio.Task is not a type");
        return false;
    }
    context_keyword = keyword;
    cache = {running, cancelled, invalid, reinterpret_cast<PyTypeObject*>(task)};
    return true;
}

}  // namespace

const asyncio_names* names() {
    return cache.task != nullptr || import() ? &cache : nullptr;
}

PyObject* running_loop() {
    if (PyObject* loop = loop_being_drained()) return loop;
    if (cache.task == nullptr) {
        // Nobody has imported asyncio: no loop runs.
        PyObject* modules = PyImport_GetModuleDict();
        if (PyDict_GetItemString(modules, "_asyncio") == nullptr) return nullptr;
    }
    const auto* n = names();
    PyObject* loop = n == nullptr ? nullptr : PyObject_CallNoArgs(n->running_loop);
    if (loop == nullptr) {
        PyErr_Clear();
        return nullptr;
    }
    Py_DECREF(loop);  // the thread holds it while it runs
    return loop == Py_None ? nullptr : loop;
}

bool is_task_wakeup(PyObject* callback) {
    static std::atomic<PyCFunction> wakeup{nullptr};
    if (!PyCFunction_Check(callback)) return false;
    PyObject* self = PyCFunction_GetSelf(callback);
    if (self == nullptr || cache.task == nullptr || !PyObject_TypeCheck(self, cache.task)) return false;
    auto* function = PyCFunction_GetFunction(callback);
    if (function == wakeup.load(std::memory_order_relaxed)) return true;
    if (std::strcmp(reinterpret_cast<PyCFunctionObject*>(callback)->m_ml->ml_name, "task_wakeup") != 0) return false;
    wakeup.store(function, std::memory_order_relaxed);
    return true;
}

int call_soon(PyObject* loop, PyObject* callback, PyObject* argument, PyObject* context) {
    static PyObject* here = PyUnicode_InternFromString("call_soon");
    static PyObject* elsewhere = PyUnicode_InternFromString("call_soon_threadsafe");
    if (here == nullptr || elsewhere == nullptr || names() == nullptr) return -1;
    PyObject* args[] = {loop, callback, argument, context};
    PyObject* handle = PyObject_VectorcallMethod(running_loop() == loop ? here : elsewhere, args, 3, context_keyword);
    if (handle == nullptr) return -1;
    Py_DECREF(handle);
    return 0;
}

void report(PyObject* loop, const char* message, PyObject* exception, PyObject* future) {
    PyObject* context = Py_BuildValue("{s:s,s:O,s:O}", "message", message, "exception", exception, "future", future);
    PyObject* done = context == nullptr ? nullptr : PyObject_CallMethod(loop, "call_exception_handler", "(O)", context);
    Py_XDECREF(context);
    if (done == nullptr) {
        PyErr_WriteUnraisable(future);
    } else {
        Py_DECREF(done);
    }
}

}  // namespace headrace::bridge
