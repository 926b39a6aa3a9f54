#include "loop_port.hpp"

#include <pthread.h>

#include <cerrno>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "asyncio_names.hpp"
#include "future_object.hpp"

namespace headrace::bridge {
namespace {

constexpr int most_per_tick = 1024;  // about half a millisecond of task steps: other callbacks get their turn

PyTypeObject* port_type = nullptr;
std::atomic<std::uint32_t> process{0};

// Under the GIL, or its own mutex where there is none; nothing is called while it is held.
struct registry {
    std::mutex mutex;
    std::unordered_map<PyObject*, loop_port*> ports;  // both borrowed
    std::vector<completion_queue*> spare;             // closed; some may still have results bound
    std::uint64_t version = 1;                        // changes with every port that comes or goes
};
registry* all = new registry;

// What this thread used last.
struct local {
    loop_port* draining = nullptr;
    PyObject* loop = nullptr;
    loop_port* port = nullptr;
    std::uint64_t version = 0;
};
thread_local local here;

void after_fork_in_child() {
    process.fetch_add(1, std::memory_order_relaxed);
    all = new registry;  // eventfds and loops of the old one are the parent's too
    here = {};
}

completion_queue* spare_queue() {
    {
        const std::lock_guard hold(all->mutex);
        for (auto& q : all->spare) {
            if (q->first_bound() != nullptr) continue;
            auto* found = q;
            q = all->spare.back();
            all->spare.pop_back();
            found->reopen();
            return found;
        }
    }
    auto made = completion_queue::make();
    if (made == nullptr) PyErr_SetFromErrno(PyExc_OSError);
    return made.release();
}

loop_port* make_port(PyObject* loop) {
    if (any_buried()) free_buried();
    auto* queue = spare_queue();
    if (queue == nullptr) return nullptr;
    auto* port = PyObject_GC_New(loop_port, port_type);
    if (port == nullptr) return nullptr;
    port->loop = Py_NewRef(loop);
    port->tasks = nullptr;
    port->queue = queue;
    port->backlog = nullptr;
    port->ends = nullptr;
    port->process = this_process();
    port->draining = port->tick_planned = false;
    PyObject_GC_Track(reinterpret_cast<PyObject*>(port));
    {
        const std::lock_guard hold(all->mutex);
        all->ports[loop] = port;
        ++all->version;
    }
    PyObject* done = PyObject_CallMethod(loop, "add_reader", "iO", queue->fd(), port);
    Py_DECREF(port);  // the loop's now; gone when it refused
    if (done == nullptr) return nullptr;
    Py_DECREF(done);
    return port;
}

void run_ends(loop_port* port) {
    while (port->ends != nullptr) {
        auto* work = port->ends;
        port->ends = work->next;
        work->run();
    }
}

// Tasks go on, callbacks are called. -1: KeyboardInterrupt or SystemExit.
int drain(loop_port* port, bool nested) {
    if (port->backlog == nullptr) port->backlog = port->queue->take();
    for (int left = most_per_tick; left > 0;) {
        for (; port->backlog != nullptr && left > 0; --left) {
            auto* r = port->backlog;
            port->backlog = r->next;
            if (deliver(*r, port, nested) < 0) return -1;
        }
        run_ends(port);
        // With nothing left the loop may sleep; after `most_per_tick` it comes back at once: the eventfd is readable.
        if (port->backlog == nullptr) port->backlog = port->queue->take();
        if (port->backlog == nullptr && port->queue->arm()) break;
    }
    return 0;
}

PyObject* call(PyObject* self, PyObject*, PyObject*) {
    auto* port = reinterpret_cast<loop_port*>(self);
    if (port->process != this_process()) Py_RETURN_NONE;
    if (any_buried()) free_buried();
    const bool nested = port->draining;
    auto* outer = here.draining;
    here.draining = port;
    port->draining = true;
    port->tick_planned = false;
    const int result = drain(port, nested);
    port->draining = nested;
    here.draining = outer;
    if (result < 0) return nullptr;
    Py_RETURN_NONE;
}

// The loop was closed or is gone: nobody will be told any more.
void end(loop_port* port) {
    {
        const std::lock_guard hold(all->mutex);
        all->ports.erase(port->loop);
        ++all->version;
    }
    run_ends(port);  // what was submitted must reach its engine, which finishes it
    auto* late = port->queue->close();
    for (auto* list : {port->backlog, late}) {
        for (auto* r = list; r != nullptr;) {
            auto* next = r->next;
            if (r->is_bound()) port->queue->unlink(*r);
            abandon(*r);
            r->release_with_gil();
            r = next;
        }
    }
    // What is still pending stays bound until its engine finishes it; only its Future goes.
    std::vector<pending_result*> pending;
    for (auto* r = port->queue->first_bound(); r != nullptr; r = completion_queue::next_bound(*r)) {
        r->keep();
        pending.push_back(r);
    }
    for (auto* r : pending) {
        abandon(*r);
        r->release_with_gil();
    }
    const std::lock_guard hold(all->mutex);
    all->spare.push_back(port->queue);
}

void dealloc(PyObject* self) {
    auto* port = reinterpret_cast<loop_port*>(self);
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    if (port->process == this_process()) end(port);
    PyErr_Restore(kind, value, trace);
    Py_CLEAR(port->tasks);
    Py_CLEAR(port->loop);
    type->tp_free(self);
    Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(reinterpret_cast<loop_port*>(self)->loop);
    Py_VISIT(reinterpret_cast<loop_port*>(self)->tasks);
    return 0;
}

loop_port* find_port(PyObject* loop) {
    if (here.draining != nullptr && here.draining->loop == loop) return here.draining;
    const std::lock_guard hold(all->mutex);
    if (here.loop == loop && here.version == all->version) return here.port;
    const auto found = all->ports.find(loop);
    if (found == all->ports.end()) return nullptr;
    here.loop = loop;
    here.port = found->second;
    here.version = all->version;
    return found->second;
}

PyObject* repr(PyObject* self) {
    return PyUnicode_FromFormat("<headrace completions of %R>", reinterpret_cast<loop_port*>(self)->loop);
}

int free_buried_pending(void*) {
    free_buried();
    return 0;
}

PyType_Slot slots[] = {
    {Py_tp_call, reinterpret_cast<void*>(call)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_repr, reinterpret_cast<void*>(repr)},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.LoopPort", sizeof(loop_port), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

std::uint32_t this_process() noexcept {
    return process.load(std::memory_order_relaxed);
}

PyObject* loop_being_drained() noexcept {
    return here.draining == nullptr ? nullptr : here.draining->loop;
}

loop_port* port_of(PyObject* loop) {
    auto* const port = find_port(loop);
    return port != nullptr ? port : make_port(loop);
}

void hold_task(PyObject* loop, PyObject* task) noexcept {
    auto* const port = port_of(loop);
    if (port != nullptr && port->tasks == nullptr) port->tasks = PySet_New(nullptr);
    if (port == nullptr || port->tasks == nullptr || PySet_Add(port->tasks, task) < 0) PyErr_Clear();
}

void let_go_of_task(PyObject* loop, PyObject* task) noexcept {
    const auto* const port = find_port(loop);
    if (port != nullptr && port->tasks != nullptr && PySet_Discard(port->tasks, task) < 0) PyErr_Clear();
}

bool at_tick_end(tick_end& work) {
    PyObject* loop = running_loop();
    loop_port* port = loop == nullptr ? nullptr : port_of(loop);
    if (port == nullptr) return false;
    if (!port->draining && !port->tick_planned) {
        PyObject* handle = PyObject_CallMethod(loop, "call_soon", "O", port);
        if (handle == nullptr) return false;
        Py_DECREF(handle);
        port->tick_planned = true;
    }
    work.next = port->ends;
    port->ends = &work;
    return true;
}

bool register_loop_port() {
    port_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (port_type == nullptr) return false;
    on_first_buried([] {
        if (Py_IsInitialized() != 0) Py_AddPendingCall(&free_buried_pending, nullptr);
    });
    return pthread_atfork(nullptr, nullptr, &after_fork_in_child) == 0;
}

}  // namespace headrace::bridge
