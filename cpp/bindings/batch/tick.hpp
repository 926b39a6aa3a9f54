// Submissions of one turn of an event loop: they gather, and enter the engine together at the end of the turn.
// Threads:  with the GIL, on the loop's thread.
// Lifetime: keeps the core alive until the end of the turn.
#pragma once

#include <Python.h>

#include "request.hpp"

namespace headrace::bindings {

class batch_core;
class loop_lane;

/// The event loop that runs in this thread: borrowed, or null without an error.
PyObject* current_loop() noexcept;

/// Adds a chain (first..last, linked by `next`) to this turn of `loop`. False with an error set: nothing was taken.
bool add_to_tick(batch_core& core, PyObject* loop, request* first, request* last);

}  // namespace headrace::bindings
