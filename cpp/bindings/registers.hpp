// Every register_* function of the module, in the order in which module.cpp calls them.
#pragma once

#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace headrace::bindings {

void register_errors(py::module_& m);
void register_base(py::module_& m);
void register_measure(py::module_& m);
void register_batch(py::module_& m);
void register_redis(py::module_& m);
void register_subscriber(py::module_& redis);
void register_mq(py::module_& m);
void register_mq_clients(py::module_& m);
void register_ledger(py::module_& m);
void register_bench(py::module_& m);
void register_http(py::module_& m);
void register_graph(py::module_& m);
void register_load(py::module_& m);
void register_exec(py::module_& m);

}  // namespace headrace::bindings
