#include "functions.hpp"

namespace headrace::bindings {

bool function_table::find(PyObject* function, entry& out) {
    out.reset();
    if (!PyFunction_Check(function) && !PyCFunction_Check(function) && !PyType_Check(function)) return true;
    if (PyCFunction_Check(function) && PyCFunction_GET_SELF(function) != nullptr &&
        !PyModule_Check(PyCFunction_GET_SELF(function)))
        return true;  // a method bound to an object, which may change
    if (by_identity_ == nullptr) by_identity_ = PyDict_New();
    if (by_identity_ == nullptr) return false;
    PyObject* const number = PyDict_GetItemWithError(by_identity_, function);
    if (number == nullptr) return PyErr_Occurred() == nullptr && encode(function, out);
    out = by_number_.at(PyLong_AsUnsignedLongLong(number));
    return true;
}

// wire.encode_function() answers (bytes, may be found by identity).
bool function_table::encode(PyObject* function, entry& out) {
    PyObject* const encoder = wire("encode_function");
    PyObject* const encoded = encoder == nullptr ? nullptr : PyObject_CallOneArg(encoder, function);
    if (encoded == nullptr) return false;
    PyObject* bytes = nullptr;
    int constant = 0;
    bool good = PyArg_ParseTuple(encoded, "Sp", &bytes, &constant) != 0;
    if (good) {
        out = of_bytes({PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))});
        PyObject* const number = constant != 0 ? PyLong_FromUnsignedLongLong(out->id) : nullptr;
        if (constant != 0) good = number != nullptr && PyDict_SetItem(by_identity_, function, number) == 0;
        Py_XDECREF(number);
    }
    Py_DECREF(encoded);
    return good;
}

function_table::entry function_table::of_bytes(std::string bytes) {
    if (const auto found = by_bytes_.find(bytes); found != by_bytes_.end()) return by_number_.at(found->second);
    if (by_number_.size() >= most) {
        PyDict_Clear(by_identity_);
        by_bytes_.clear();
        by_number_.clear();
    }
    auto made = std::make_shared<exec::process_function>();
    made->id = ++last_;
    made->body.bytes = bytes;
    by_number_.emplace(made->id, made);
    by_bytes_.emplace(std::move(bytes), made->id);
    return made;
}

}  // namespace headrace::bindings
