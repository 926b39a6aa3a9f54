#include "unit.hpp"

#include <memory>

#include "../bridge/future.hpp"
#include "../errors.hpp"
#include "../python_error.hpp"
#include "loop_mail.hpp"

namespace headrace::bindings {
namespace {

thread_local python_unit* current = nullptr;

std::string text_of(PyObject* error) {
    constexpr std::size_t most = 300;
    std::string text = Py_TYPE(error)->tp_name;
    if (PyObject* said = PyObject_Str(error)) {
        const char* words = PyUnicode_AsUTF8(said);
        if (words != nullptr && *words != '\0') text += std::string(": ") + words;
        Py_DECREF(said);
    }
    PyErr_Clear();
    return text.size() <= most ? text : text.substr(0, most) + "...";
}

// A list or tuple with the values of its units, or itself when there are none. A new reference.
PyObject* with_values(PyObject* sequence) {
    const bool is_list = PyList_CheckExact(sequence) != 0;
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(sequence);
    PyObject* copy = nullptr;
    for (Py_ssize_t i = 0; i < n; ++i) {
        python_unit* u = unit_of(PySequence_Fast_GET_ITEM(sequence, i));
        if (u == nullptr) continue;
        if (copy == nullptr) copy = is_list ? PyList_GetSlice(sequence, 0, n) : PyTuple_New(n);
        if (copy == nullptr) return nullptr;
        break;
    }
    if (copy == nullptr) return Py_NewRef(sequence);
    for (Py_ssize_t i = 0; i < n; ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(sequence, i);
        const python_unit* u = unit_of(item);
        PyObject* value = Py_NewRef(u != nullptr ? u->value() : item);
        if (is_list) {
            PyList_SetItem(copy, i, value);
        } else {
            PyTuple_SET_ITEM(copy, i, value);
        }
    }
    return copy;
}

}  // namespace

python_unit* current_unit() noexcept {
    return current;
}
current_scope::current_scope(python_unit* u) noexcept : before_(std::exchange(current, u)) {}
current_scope::~current_scope() {
    current = before_;
}

call_plan::call_plan(PyObject* function, PyObject* const* arguments, Py_ssize_t n_positional, PyObject* const* named,
                     PyObject* const* their_names, Py_ssize_t n_named)
    : positional(n_positional), size(1 + n_positional + n_named) {
    if (n_named != 0) {
        names = PyTuple_New(n_named);
        if (names == nullptr) throw pybind11::error_already_set();
        for (Py_ssize_t i = 0; i < n_named; ++i) PyTuple_SET_ITEM(names, i, Py_NewRef(their_names[i]));
    }
    items = static_cast<PyObject**>(batch::slab::take(static_cast<std::size_t>(size) * sizeof(PyObject*)));
    PyObject** to = items;
    *to++ = Py_NewRef(function);
    for (Py_ssize_t i = 0; i < n_positional; ++i) *to++ = Py_NewRef(arguments[i]);
    for (Py_ssize_t i = 0; i < n_named; ++i) *to++ = Py_NewRef(named[i]);
}

call_plan::~call_plan() {
    for (Py_ssize_t i = 0; i < size; ++i) Py_DECREF(items[i]);
    Py_XDECREF(names);
    batch::slab::give(items, static_cast<std::size_t>(size) * sizeof(PyObject*));
}

bool call_plan::resolve() {
    for (Py_ssize_t i = 1; i < size; ++i) {
        PyObject* const item = items[i];
        PyObject* value = nullptr;
        if (const python_unit* u = unit_of(item)) {
            value = Py_NewRef(u->value());
        } else if (PyList_CheckExact(item) || PyTuple_CheckExact(item)) {
            value = with_values(item);
            if (value == nullptr) return false;
        } else {
            continue;
        }
        items[i] = value;
        Py_DECREF(item);
    }
    return true;
}

PyObject* call_plan::call() const {
    return PyObject_Vectorcall(items[0], items + 1,
                               static_cast<std::size_t>(positional) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}

// Three references as a pending_result: the Future's, the engine's, and that of all graph_node references together.
python_unit::python_unit(std::unique_ptr<call_plan> plan, std::shared_ptr<loop_mail> mail)
    : pending_result(destruction::with_gil),
      plan_(std::move(plan)),
      mail_(std::move(mail)),
      kind_(plan_ == nullptr   ? kind::sleep
            : mail_ != nullptr ? kind::coroutine
                               : kind::call),
      active_(kind_ == kind::call ? activity::counted : activity::none) {
    keep();
    body_ = kind_ != kind::sleep;
    remote_ = kind_ == kind::coroutine;
    tell_ = true;
}

python_unit::~python_unit() {
    Py_XDECREF(value_);
    Py_XDECREF(error_value_);
    Py_XDECREF(task);
}

void python_unit::set_options(PyObject* name, ns delay, std::uint8_t priority) {
    time = delay;
    priority_ = std::min<std::uint8_t>(priority, priorities - 1);
    if (name == nullptr || name == Py_None) return;
    Py_ssize_t size = 0;
    if (const char* text = PyUnicode_AsUTF8AndSize(name, &size)) {
        name_ = std::make_unique<std::string>(text, static_cast<std::size_t>(size));
    }
}

batch::graph_node::outcome python_unit::run() noexcept {
    const current_scope here(this);
    PyObject* result = plan_->resolve() ? plan_->call() : nullptr;
    if (result != nullptr && PyCoro_CheckExact(result)) {
        Py_XDECREF(PyObject_CallMethod(result, "close", nullptr));  // nobody will ever await it
        Py_CLEAR(result);
        PyErr_SetString(PyExc_TypeError,
                        "the function of this unit returned a coroutine; submit the async function itself");
    }
    if (result != nullptr && bridge::is_future(result)) {
        PyObject* future = std::exchange(result, PyObject_CallMethod(result, "result", nullptr));
        Py_DECREF(future);
    }
    if (result != nullptr) {
        value_ = result;
    } else {
        keep_error();
    }
    plan_.reset();
    ended_ = true;
    if (active_.exchange(activity::over) == activity::none) core().add_activity(1);  // the graph will count its end
    return outcome::ended;
}

void python_unit::keep_error() noexcept {
    error_value_ = take_error();
    fail(failure::of(errc::user_error, text_of(error_value_)));
}

void python_unit::on_decided() noexcept {
    if (kind_ == kind::coroutine && state() == batch::unit_state::cancelled && mail_ != nullptr) mail_->cancel(*this);
    finish(*this);
}

void python_unit::start_remote() noexcept {
    active_.store(activity::counted);  // by the graph
    mail_->start(*this);
}

PyObject* python_unit::begin_coroutine() {
    PyObject* coroutine = nullptr;
    {
        const current_scope here(this);
        coroutine = plan_->resolve() ? plan_->call() : nullptr;
    }
    plan_.reset();
    if (coroutine == nullptr) end_with_error();
    return coroutine;
}

void python_unit::end_with_value(PyObject* stolen) noexcept {
    value_ = stolen;
    ended_ = true;
    batch::graph_core& graph = core();
    const bool counted = active_.exchange(activity::over) == activity::counted;
    batch::graph_core::post_end(*this);
    if (counted) graph.add_activity(-1);
}

void python_unit::end_with_error() noexcept {
    keep_error();
    end_with_value(nullptr);
}

void python_unit::end_with(failure why) noexcept {
    fail(std::move(why));
    end_with_value(nullptr);
}

void python_unit::activate() noexcept {
    if (change(activity::none, activity::counted)) core().add_activity(1);
}
void python_unit::deactivate() noexcept {
    if (change(activity::counted, activity::none)) core().add_activity(-1);
}

PyObject* python_unit::make_error() {
    const failure reason = why();
    auto* const error = static_cast<PyObject*>(make_exception(reason));
    auto* const origin = static_cast<python_unit*>(const_cast<graph_node*>(cause()));
    if (error == nullptr || origin == nullptr || origin == this || state() != batch::unit_state::failed) return error;
    PyObject* first = origin->error_value_ != nullptr ? Py_NewRef(origin->error_value_) : origin->make_error();
    if (first == nullptr) {
        Py_DECREF(error);
        return nullptr;
    }
    PyException_SetCause(error, first);
    return error;
}

PyObject* python_unit::to_python() {
    if (state() == batch::unit_state::done) return Py_NewRef(value());
    if (state() == batch::unit_state::failed && cause() == this && error_value_ != nullptr) {
        return raise_stolen(Py_NewRef(error_value_));
    }
    return raise_stolen(make_error());
}

void python_unit::on_cancel() noexcept {
    core().post_cancel(*this);
}

}  // namespace headrace::bindings
