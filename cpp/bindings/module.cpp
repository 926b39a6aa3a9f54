// The table of contents of headrace._core. One topic is one register_<topic>.cpp.
#include "bridge/future.hpp"
#include "registers.hpp"

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "The native half of headrace. Use the public modules (headrace.mq, headrace.redis, ...) instead.";
    headrace::bindings::register_errors(m);
    headrace::bindings::register_base(m);
    headrace::bridge::register_future(m);
    headrace::bindings::register_measure(m);
    headrace::bindings::register_redis(m);
    headrace::bindings::register_batch(m);
    headrace::bindings::register_mq(m);
    headrace::bindings::register_mq_clients(m);
    headrace::bindings::register_ledger(m);
    headrace::bindings::register_bench(m);
    headrace::bindings::register_http(m);
    headrace::bindings::register_graph(m);
    headrace::bindings::register_load(m);
    headrace::bindings::register_exec(m);
}
