// From Python keys to the numbers that the engine compares, and the cache of results by key.
//
// Equal keys that are alive at one time have one interned_key and one number; the engine never sees Python.
// Threads:  with the GIL (a free-threaded build: under the batcher's critical section).
// Lifetime: an interned key lives while a request names it.
// Errors:   Python errors of __hash__ and __eq__.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <headrace/base/clock.hpp>

namespace headrace::bindings {

struct interned_key {
    std::uint64_t number;
    std::size_t users;
    PyObject* key;
};

class key_names {
public:
    key_names() = default;
    ~key_names();
    key_names(const key_names&) = delete;
    key_names& operator=(const key_names&) = delete;

    /// One more user; null with an error set.
    interned_key* intern(PyObject* key);
    void drop(interned_key& name) noexcept;
    std::size_t size() const noexcept { return dictionary_ == nullptr ? 0 : std::size_t(PyDict_Size(dictionary_)); }

private:
    PyObject* dictionary_ = nullptr;  // key -> address of its interned_key
    std::uint64_t last_ = 0;
};

/// Results by key: the one used longest ago goes first, and none is given after `ttl`.
class result_cache {
public:
    void configure(std::size_t size, ns ttl) noexcept {
        size_ = size;
        ttl_ = ttl;
    }
    ~result_cache() { Py_XDECREF(results_); }
    bool enabled() const noexcept { return size_ != 0; }

    /// 1 and a new reference, 0 when there is none, -1 with an error set.
    int find(PyObject* key, PyObject*& value);
    /// -1 with an error set.
    int put(PyObject* key, PyObject* value);
    /// Nothing happens when it is not there; -1 with an error set.
    int forget(PyObject* key);
    void clear() noexcept {
        if (results_ != nullptr) PyDict_Clear(results_);
    }

private:
    std::size_t size_ = 0;
    ns ttl_ = ns::max();
    PyObject* results_ = nullptr;  // key -> (expires, value), oldest use first
};

}  // namespace headrace::bindings
