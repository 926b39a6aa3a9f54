// Long native work from Python: runs on a thread of its own while the caller looks after signals.
//
// Threads:  called with the GIL held; `work` runs without it.
// Stop:     a signal handler that raises (Ctrl-C) sets `cancel`, waits for `work` to notice, and lets the exception
// out. Errors:   the failure is thrown as failure_error; an exception of `work` is rethrown.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <future>

#include "errors.hpp"

namespace headrace::bindings {

template <class Work>
void run_interruptible(Work&& work) {
    std::atomic<bool> cancel{false};
    std::future<failure> done = std::async(std::launch::async, [&] { return work(std::as_const(cancel)); });
    for (bool waiting = true; waiting;) {
        {
            pybind11::gil_scoped_release nogil;
            waiting = done.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready;
        }
        if (PyErr_CheckSignals() == 0) continue;
        pybind11::error_already_set interrupt;
        cancel.store(true);
        {
            pybind11::gil_scoped_release nogil;
            done.wait();
        }
        throw interrupt;
    }
    throw_if(done.get());
}

}  // namespace headrace::bindings
