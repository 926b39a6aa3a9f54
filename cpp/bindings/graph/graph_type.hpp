// headrace._core.graph.Graph: the C type below the Python class.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

void register_graph_type(pybind11::module_& m);
/// Cancels every graph and waits for bodies that run, at most `seconds`; before the interpreter goes.
void stop_graphs(double seconds);

}  // namespace headrace::bindings
