#include "loop_mail.hpp"

#include "../bridge/asyncio_names.hpp"
#include "../bridge/future.hpp"
#include "unit.hpp"

namespace headrace::bindings {

struct loop_mail::letter : batch::slab::allocated {
    batch::node_ref unit;
    bool is_cancel = false;
    letter* next = nullptr;
};

// A Future of the loop that is done when there is mail. One is armed at any time, unless the loop is about to look.
class loop_mail::bell final : public bridge::pending_result {
public:
    explicit bell(std::weak_ptr<loop_mail> mail) noexcept : mail_(std::move(mail)) {}
    PyObject* to_python() override { return Py_NewRef(Py_None); }
    void on_cancel() noexcept override {  // the loop was closed
        if (const auto mail = mail_.lock()) mail->close();
    }

private:
    const std::weak_ptr<loop_mail> mail_;
};

namespace {

constexpr const char* capsule_name = "headrace.loop_mail";

std::shared_ptr<loop_mail>* mail_in(PyObject* capsule) {
    return static_cast<std::shared_ptr<loop_mail>*>(PyCapsule_GetPointer(capsule, capsule_name));
}

PyObject* on_bell(PyObject* capsule, PyObject*) {
    const auto mail = *mail_in(capsule);
    mail->open_mail();
    if (PyErr_Occurred() != nullptr) return nullptr;
    Py_RETURN_NONE;
}

PyMethodDef on_bell_method = {"open_mail", on_bell, METH_O, nullptr};

// What `await` would take the steps of; null, without an error, for what cannot be awaited.
PyObject* steps_of(PyObject* object) {
    const PyAsyncMethods* methods = Py_TYPE(object)->tp_as_async;
    return methods == nullptr || methods->am_await == nullptr ? nullptr : methods->am_await(object);
}

// Runs the unit as a task of the running loop.
void begin(python_unit& u, PyObject* loop) {
    if (u.decided()) return u.end_with({});  // cancelled on the way
    PyObject* coroutine = u.begin_coroutine();
    if (coroutine == nullptr) return;
    if (PyCoro_CheckExact(coroutine) == 0) {
        PyObject* steps = steps_of(coroutine);
        if (steps == nullptr && PyErr_Occurred() == nullptr) return u.end_with_value(coroutine);
        Py_DECREF(std::exchange(coroutine, steps));
        if (steps == nullptr) return u.end_with_error();
    }
    PyObject* wrapped = make_unit_coroutine(u, coroutine);
    if (wrapped == nullptr) return u.end_with_error();
    u.task = PyObject_CallMethod(loop, "create_task", "O", wrapped);
    if (u.task == nullptr && !u.ended()) u.end_with_error();
    PyErr_Clear();
    Py_DECREF(wrapped);
}

}  // namespace

std::shared_ptr<loop_mail> loop_mail::make(PyObject* loop) {
    std::shared_ptr<loop_mail> mail(new loop_mail(loop));
    return mail->arm() ? mail : nullptr;
}

bool loop_mail::arm() {
    auto* b = new bell(weak_from_this());
    PyObject* future = bridge::make_future(b);
    if (future == nullptr) return false;
    PyObject* capsule = PyCapsule_New(new std::shared_ptr<loop_mail>(shared_from_this()), capsule_name,
                                      [](PyObject* c) { delete mail_in(c); });
    PyObject* callback = capsule == nullptr ? nullptr : PyCFunction_New(&on_bell_method, capsule);
    Py_XDECREF(capsule);
    PyObject* done = callback == nullptr ? nullptr : PyObject_CallMethod(future, "add_done_callback", "O", callback);
    Py_XDECREF(callback);
    Py_DECREF(future);
    if (done == nullptr) {
        bridge::pending_result::finish(*b);
        return false;
    }
    Py_DECREF(done);
    armed_.store(b, std::memory_order_release);
    return true;
}

void loop_mail::start(python_unit& u) noexcept {
    auto* l = new letter;
    l->unit = batch::node_ref(&u);
    post(*l);
}

void loop_mail::cancel(python_unit& u) noexcept {
    auto* l = new letter;
    l->unit = batch::node_ref(&u);
    l->is_cancel = true;
    post(*l);
}

// Whoever puts the first letter in rings, unless a bell is ringing already: then the loop is about to look.
void loop_mail::post(letter& l) noexcept {
    letter* head = letters_.load(std::memory_order_relaxed);
    do l.next = head;
    while (!letters_.compare_exchange_weak(head, &l, std::memory_order_acq_rel));
    if (bell* b = armed_.exchange(nullptr, std::memory_order_acq_rel)) {
        bridge::pending_result::finish(*b);
    } else if (closed()) {
        close();
    }
}

// A new bell is armed first, so that what comes while the letters are read rings again.
void loop_mail::open_mail() {
    PyObject* loop = bridge::running_loop();
    if (loop == nullptr || !arm()) {
        PyErr_Clear();
        closed_.store(true, std::memory_order_release);
        return close();
    }
    letter* list = nullptr;
    for (letter* l = letters_.exchange(nullptr, std::memory_order_acq_rel); l != nullptr;) {
        letter* const next = std::exchange(l->next, list);
        list = std::exchange(l, next);
    }
    while (list != nullptr) {
        const std::unique_ptr<letter> l(std::exchange(list, list->next));
        auto& u = static_cast<python_unit&>(*l->unit.get());
        if (!l->is_cancel) {
            begin(u, loop);
        } else if (u.task != nullptr && !u.ended()) {
            PyObject* done = PyObject_CallMethod(u.task, "cancel", nullptr);
            Py_XDECREF(done);
            PyErr_Clear();
        }
    }
}

void loop_mail::close() noexcept {
    closed_.store(true, std::memory_order_release);
    if (bell* b = armed_.exchange(nullptr, std::memory_order_acq_rel)) bridge::pending_result::finish(*b);
    letter* l = letters_.exchange(nullptr, std::memory_order_acq_rel);
    while (l != nullptr) {
        const std::unique_ptr<letter> done(std::exchange(l, l->next));
        auto& u = static_cast<python_unit&>(*done->unit.get());
        if (!done->is_cancel) {
            u.end_with(failure::of(errc::closed, "the event loop that unit " + u.label() + " was to run on is closed"));
        }
    }
}

}  // namespace headrace::bindings
