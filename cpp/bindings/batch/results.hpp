// From what a Python batch function returned to one outcome per request.
// Threads:  with the GIL, before the engine decides the items.
// Errors:   none left set; whatever is wrong with the results becomes the outcome of the requests concerned (BadResult).
#pragma once

#include <Python.h>

#include <headrace/batch/item.hpp>
#include <span>

namespace headrace::bindings {

class batch_core;

/// The arguments of a batch as a new list; null with an error set.
PyObject* arguments_of(std::span<batch::item* const> items);

/// `returned` is stolen; null: the function raised, and the error is set. False: the batch failed as a whole.
bool give_results(const batch_core& core, std::span<batch::item* const> items, PyObject* returned);

}  // namespace headrace::bindings
