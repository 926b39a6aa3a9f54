// Which functions workers know by number: each is pickled and sent once.
//
// A function that pickles by reference, or whose captured values cannot change, is found by identity. One that goes by value
// and captures what may change is pickled for every call, and sent again when the bytes differ: a call sees the values of
// its moment. What is no plain function (bound methods, partials) travels with each call.
// Threads:  with the GIL.   Errors: Python errors.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/exec/process_task.hpp>
#include <memory>
#include <unordered_map>

#include "pickling.hpp"

namespace headrace::bindings {

class function_table {
public:
    function_table() = default;
    function_table(const function_table&) = delete;
    function_table& operator=(const function_table&) = delete;
    ~function_table() { Py_XDECREF(by_identity_); }

    /// False with an error set. Null in `out`: it travels with the call.
    bool find(PyObject* function, std::shared_ptr<const exec::process_function>& out);
    int traverse(visitproc visit, void* arg) const {
        Py_VISIT(by_identity_);
        return 0;
    }

private:
    using entry = std::shared_ptr<const exec::process_function>;
    bool encode(PyObject* function, entry& out);
    entry of_bytes(std::string bytes);

    static constexpr std::size_t most = 1000;  // then all are forgotten; numbers are not used again
    PyObject* by_identity_ = nullptr;          // function to number
    std::unordered_map<std::uint64_t, entry> by_number_;
    std::unordered_map<std::string, std::uint64_t> by_bytes_;
    std::uint64_t last_ = 0;
};

}  // namespace headrace::bindings
