#include "keys.hpp"

namespace headrace::bindings {

key_names::~key_names() {
    Py_XDECREF(dictionary_);
}

interned_key* key_names::intern(PyObject* key) {
    if (dictionary_ == nullptr && (dictionary_ = PyDict_New()) == nullptr) return nullptr;
    if (PyObject* found = PyDict_GetItemWithError(dictionary_, key)) {
        auto* name = static_cast<interned_key*>(PyLong_AsVoidPtr(found));
        ++name->users;
        return name;
    }
    if (PyErr_Occurred() != nullptr) return nullptr;
    auto* name = new interned_key{++last_, 1, Py_NewRef(key)};
    PyObject* address = PyLong_FromVoidPtr(name);
    const bool kept = address != nullptr && PyDict_SetItem(dictionary_, key, address) == 0;
    Py_XDECREF(address);
    if (kept) return name;
    Py_DECREF(name->key);
    delete name;
    return nullptr;
}

void key_names::drop(interned_key& name) noexcept {
    if (--name.users != 0) return;
    PyObject *type, *value, *trace;  // a destructor may run while an error is on its way
    PyErr_Fetch(&type, &value, &trace);
    if (PyDict_DelItem(dictionary_, name.key) < 0) PyErr_Clear();
    PyErr_Restore(type, value, trace);
    PyObject* key = name.key;
    delete &name;
    Py_DECREF(key);
}

int result_cache::find(PyObject* key, PyObject*& value) {
    if (results_ == nullptr) return 0;
    PyObject* entry = PyDict_GetItemWithError(results_, key);
    if (entry == nullptr) return PyErr_Occurred() != nullptr ? -1 : 0;
    Py_INCREF(entry);
    // Out and in again: a dict remembers the order, and the first is the one to go.
    const bool good = PyLong_AsLongLong(PyTuple_GET_ITEM(entry, 0)) > monotonic_now().count();
    int found = PyDict_DelItem(results_, key) < 0 ? -1 : 0;
    if (found == 0 && good) found = PyDict_SetItem(results_, key, entry) < 0 ? -1 : 1;
    if (found == 1) value = Py_NewRef(PyTuple_GET_ITEM(entry, 1));
    Py_DECREF(entry);
    return found;
}

int result_cache::put(PyObject* key, PyObject* value) {
    if (results_ == nullptr && (results_ = PyDict_New()) == nullptr) return -1;
    const ns now = monotonic_now();
    const ns expires = ttl_ > ns::max() - now ? ns::max() : now + ttl_;
    PyObject* entry = Py_BuildValue("(LO)", static_cast<long long>(expires.count()), value);
    if (entry == nullptr) return -1;
    int bad = forget(key);
    if (bad == 0) bad = PyDict_SetItem(results_, key, entry);
    Py_DECREF(entry);
    while (bad == 0 && static_cast<std::size_t>(PyDict_Size(results_)) > size_) {
        Py_ssize_t at = 0;
        PyObject* oldest = nullptr;
        if (PyDict_Next(results_, &at, &oldest, nullptr) == 0) break;
        Py_INCREF(oldest);
        bad = PyDict_DelItem(results_, oldest);
        Py_DECREF(oldest);
    }
    return bad;
}

int result_cache::forget(PyObject* key) {
    if (results_ == nullptr) return 0;
    const int there = PyDict_Contains(results_, key);
    return there <= 0 ? there : PyDict_DelItem(results_, key);
}

}  // namespace headrace::bindings
