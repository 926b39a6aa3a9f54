#include "channel.hpp"

#include <utility>

#include "../bridge/asyncio_names.hpp"
#include "../coroutine.hpp"
#include "names.hpp"

namespace headrace::bindings::asgi {
namespace {

// What PyCFunctions have as their self.
struct channel_object {
    PyObject_HEAD channel* held;
};
PyTypeObject* channel_type = nullptr;

struct step_object {
    PyObject_HEAD PyObject* owner;  // channel_object
    PyObject* message;              // of send; null: receive
    PyObject* inner;                // the steps of what it waits for
    bool over;
};
PyTypeObject* step_type = nullptr;

step_object* of(PyObject* self) {
    return reinterpret_cast<step_object*>(self);
}

PyObject* make_step(PyObject* owner, PyObject* message) {
    auto* s = PyObject_GC_New(step_object, step_type);
    if (s == nullptr) return nullptr;
    s->owner = Py_NewRef(owner);
    s->message = Py_XNewRef(message);
    s->inner = nullptr;
    s->over = false;
    PyObject_GC_Track(reinterpret_cast<PyObject*>(s));
    return reinterpret_cast<PyObject*>(s);
}

PyObject* receive(PyObject* self, PyObject*) {
    return make_step(self, nullptr);
}
PyObject* send_message(PyObject* self, PyObject* message) {
    return make_step(self, message);
}
PyMethodDef receive_method = {"receive", receive, METH_NOARGS, nullptr};
PyMethodDef send_method = {"send", send_message, METH_O, nullptr};

PySendResult step(PyObject* self, PyObject* value, PyObject** out) {
    auto* const s = of(self);
    *out = nullptr;
    if (s->over) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    channel& c = *reinterpret_cast<channel_object*>(s->owner)->held;
    for (;;) {
        if (s->inner != nullptr) {
            const auto how = PyIter_Send(s->inner, value, out);
            if (how == PYGEN_NEXT) return how;
            Py_CLEAR(s->inner);
            if (how == PYGEN_ERROR) {
                s->over = true;
                return how;
            }
            Py_CLEAR(*out);
        }
        PyObject* got = nullptr;
        switch (s->message == nullptr ? c.receive(got) : c.send(s->message, got)) {
            case outcome::done:
                s->over = true;
                *out = got;
                return PYGEN_RETURN;
            case outcome::error: s->over = true; return PYGEN_ERROR;
            case outcome::wait: break;
        }
        const PyAsyncMethods* methods = Py_TYPE(got)->tp_as_async;
        s->inner = methods->am_await(got);
        Py_DECREF(got);
        if (s->inner == nullptr) {
            s->over = true;
            return PYGEN_ERROR;
        }
        value = Py_None;
    }
}

PyObject* send(PyObject* self, PyObject* value) {
    PyObject* out = nullptr;
    const auto how = step(self, value, &out);
    return as_method_result(how, out);
}
PyObject* next(PyObject* self) {
    return send(self, Py_None);
}

PyObject* throw_in(PyObject* self, PyObject* args) {
    auto* const s = of(self);
    if (s->inner == nullptr) {
        s->over = true;
        raise_thrown(args);
        return nullptr;
    }
    PyObject* out = nullptr;
    const auto how = throw_into(s->inner, args, &out);
    if (how == PYGEN_NEXT) return out;
    Py_CLEAR(s->inner);
    if (how == PYGEN_RETURN) {  // what it waited for swallowed the error
        Py_DECREF(out);
        return send(self, Py_None);
    }
    s->over = true;
    return nullptr;
}

PyObject* close(PyObject* self, PyObject*) {
    of(self)->over = true;
    Py_CLEAR(of(self)->inner);
    Py_RETURN_NONE;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(of(self)->owner);
    Py_VISIT(of(self)->message);
    Py_VISIT(of(self)->inner);
    return 0;
}
int clear(PyObject* self) {
    Py_CLEAR(of(self)->message);
    Py_CLEAR(of(self)->inner);
    return 0;
}
void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(of(self)->inner);
    Py_CLEAR(of(self)->message);
    Py_CLEAR(of(self)->owner);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}
void dealloc_channel(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    reinterpret_cast<channel_object*>(self)->held->release_with_gil();
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"send", send, METH_O, nullptr},
    {"throw", throw_in, METH_VARARGS, nullptr},
    {"close", close, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot step_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_am_await, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_am_send, reinterpret_cast<void*>(step)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(next)},
    {Py_tp_methods, methods},
    {0, nullptr},
};
PyType_Spec step_spec = {"headrace._core.http.AsgiStep", sizeof(step_object), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, step_slots};
PyType_Slot channel_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc_channel)},
    {0, nullptr},
};
PyType_Spec channel_spec = {"headrace._core.http.AsgiChannel", sizeof(channel_object), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, channel_slots};

class nothing final : public bridge::pending_result {
public:
    PyObject* to_python() override { return Py_NewRef(Py_None); }
};

}  // namespace

// New references. False with an error set.
bool channel::make_ends(PyObject*& receive_end, PyObject*& send_end) {
    auto* const owner = PyObject_New(channel_object, channel_type);
    if (owner == nullptr) return false;
    owner->held = this;
    keep();
    auto* const object = reinterpret_cast<PyObject*>(owner);
    receive_end = PyCFunction_New(&receive_method, object);
    send_end = receive_end == nullptr ? nullptr : PyCFunction_New(&send_method, object);
    Py_DECREF(object);
    if (send_end != nullptr) return true;
    Py_CLEAR(receive_end);
    return false;
}

PyObject* channel::call(PyObject* application, PyObject* scope) {
    PyObject* ends[] = {nullptr, nullptr};
    PyObject* coroutine = nullptr;
    if (scope != nullptr && make_ends(ends[0], ends[1])) {
        PyObject* args[] = {scope, ends[0], ends[1]};
        coroutine = PyObject_Vectorcall(application, args, 3, nullptr);
    }
    Py_XDECREF(scope);
    Py_XDECREF(ends[0]);
    Py_XDECREF(ends[1]);
    return coroutine;
}

PyObject* make_wait(std::shared_ptr<finisher>& done) {
    auto* const r = new nothing;
    PyObject* const future = bridge::make_future(r);
    if (future != nullptr) done = std::make_shared<finisher>(*r);
    return future;
}

// Who polls with a time limit leaves one behind each time.
void bell::add(std::shared_ptr<finisher> one) {
    std::vector<std::shared_ptr<finisher>> over;
    {
        const lock_guard hold(mutex_);
        for (auto& w : waiting_) {
            if (w->given_up()) over.push_back(std::move(w));
        }
        std::erase(waiting_, nullptr);
        if (!rung_) waiting_.push_back(std::move(one));
    }
}

void bell::ring() noexcept {
    std::vector<std::shared_ptr<finisher>> all;
    {
        const lock_guard hold(mutex_);
        rung_ = true;
        all.swap(waiting_);
    }
    for (const auto& one : all) (*one)();
}

bool bell::rung() const noexcept {
    const lock_guard hold(mutex_);
    return rung_;
}

bool gives_up() {
    const auto* names = bridge::names();
    return PyErr_ExceptionMatches(PyExc_OSError) != 0 ||
           (names != nullptr && PyErr_ExceptionMatches(names->cancelled_error) != 0);
}

bool register_channel() {
    if (!make_words()) return false;
    step_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&step_spec));
    channel_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&channel_spec));
    return step_type != nullptr && channel_type != nullptr;
}

}  // namespace headrace::bindings::asgi
