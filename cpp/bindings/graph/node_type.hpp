// headrace.Node: what Graph.submit() returns. A Future with a name and a place in the graph.
// Threads:  with the GIL.   Lifetime: keeps its unit, not the graph.
#pragma once

#include <pybind11/pybind11.h>

#include "unit.hpp"

namespace headrace::bindings {

/// Takes over the unit's first reference as a node, and the Future's. Null with an error set: then both are gone.
PyObject* make_node(python_unit* u);
void register_node_type(pybind11::module_& m);

}  // namespace headrace::bindings
