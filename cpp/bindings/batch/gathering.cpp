#include "gathering.hpp"

#include "core.hpp"

namespace headrace::bindings {

gathering::~gathering() {
    for (auto* r : requests_) {
        if (r->joined() != nullptr) r->release_with_gil();  // the engine's reference came back to us
        r->release_with_gil();
    }
}

void gathering::add(request& r, bool decided) {
    requests_.push_back(&r);
    if (decided) return;
    r.join(*this);
    left_.fetch_add(1, std::memory_order_relaxed);
    static_cast<batch::item&>(r).next = nullptr;
    if (last_ != nullptr) static_cast<batch::item*>(last_)->next = &r;
    if (first_ == nullptr) first_ = &r;
    last_ = &r;
}

_object* gathering::to_python() {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(requests_.size()));
    for (std::size_t i = 0; list != nullptr && i < requests_.size(); ++i) {
        PyObject* value = requests_[i]->to_python();
        if (value == nullptr && errors_are_values_ && PyErr_ExceptionMatches(PyExc_Exception)) {
            PyObject *type, *trace;
            PyErr_Fetch(&type, &value, &trace);
            PyErr_NormalizeException(&type, &value, &trace);
            Py_XDECREF(type);
            Py_XDECREF(trace);
        }
        if (value == nullptr) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), value);
        }
    }
    return list;
}

void gathering::on_cancel() noexcept {
    for (auto* r : requests_) {
        if (r->joined() != nullptr) r->core().cancel(*r);
    }
}

}  // namespace headrace::bindings
