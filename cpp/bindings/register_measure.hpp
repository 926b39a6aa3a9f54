// The topics of headrace._core.measure, called by register_measure().
#pragma once

#include "registers.hpp"

namespace headrace::bindings {

void register_histogram(py::module_& measure);
void register_pacer(py::module_& measure);
void register_segments(py::module_& measure);

}  // namespace headrace::bindings
