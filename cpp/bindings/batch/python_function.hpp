// A plain Python function as a batch function: runs on workers of the pool, one acquisition of the GIL per batch.
//
// Threads:  run() on a worker. Each worker that ran Python once keeps its PyThreadState until it ends: making one costs more
//           than most batches.
// Lifetime: the core outlives its requests, hence every run().   Errors: see results.hpp.
#pragma once

#include "function.hpp"

namespace headrace::bindings {

class python_function final : public request_function {
public:
    /// `function` is borrowed from the core.
    python_function(const batch_core& core, PyObject* function) noexcept : core_(core), function_(function) {}
    void run(std::span<batch::item* const> items) override;

private:
    const batch_core& core_;
    PyObject* const function_;
};

}  // namespace headrace::bindings
