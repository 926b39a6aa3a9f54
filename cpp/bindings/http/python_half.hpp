// What the C++ half of headrace.http needs of the Python half: imported once, when the first route is made.
// Threads:  with the GIL.   Lifetime: for good.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

struct python_half {
    PyObject* headers;       ///< Headers(pairs)
    PyObject* query_params;  ///< query_params(text)
    PyObject* json_loads;
    PyObject* json_dumps;    ///< compact, without NaN
    PyObject* http_error;    ///< HTTPError(status, text)
    PyObject* response;      ///< the type Response
    PyObject* accepted;      ///< the type Accepted
    PyObject* answer_error;  ///< answer_error(route, exception): (status, text); logs what is not an HTTPError
    PyObject* log_text;      ///< log_text(route, text): what a worker process raised
    PyObject* unpack_request;

    // Of asyncio routes only.
    PyObject* cancelled_error;  ///< asyncio.CancelledError
    PyObject* stream_to;        ///< stream_to(LoopStream, iterator): a coroutine
    PyObject* run_accepted;     ///< run_accepted(Accepted): a coroutine
};

/// Throws Python errors.
void import_python_half();
void import_loop_half();
const python_half& half() noexcept;

}  // namespace headrace::bindings
