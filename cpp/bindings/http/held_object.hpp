// A Python object that C++ keeps, and may let go of on any thread.
// Threads:  get() with the GIL; the destructor takes it when it is not held.
// Stop:     once the interpreter has gone the object is left alone.
#pragma once

#include <pybind11/pybind11.h>

#include <utility>

namespace headrace::bindings {

class held_object {
public:
    /// Takes the reference over; null is allowed.
    explicit held_object(PyObject* object = nullptr) noexcept : object_(object) {}
    held_object(held_object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    held_object& operator=(held_object&& other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~held_object() {
        if (object_ == nullptr || Py_IsInitialized() == 0) return;
        const pybind11::gil_scoped_acquire gil;
        Py_DECREF(object_);
    }
    PyObject* get() const noexcept { return object_; }

private:
    PyObject* object_;
};

}  // namespace headrace::bindings
