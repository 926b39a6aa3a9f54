// headrace._core.graph: task graphs over Python functions.
#include "graph/graph_type.hpp"
#include "graph/loop_mail.hpp"
#include "graph/node_type.hpp"
#include "registers.hpp"

namespace headrace::bindings {

void register_graph(py::module_& parent) {
    auto m = parent.def_submodule("graph", "Task graphs.");
    register_node_type(m);
    register_unit_coroutine(m);
    register_graph_type(m);
    m.def("stop_all", &stop_graphs, py::arg("seconds"), py::call_guard<py::gil_scoped_release>(),
          "Cancels every graph and waits for what runs, at most so long; called at exit.");
}

}  // namespace headrace::bindings
