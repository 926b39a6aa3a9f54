// headrace._core.batch: the batcher's type, and the batch functions that run without Python.
#include <headrace/exec/thread_pool.hpp>

#include "batch/batcher_type.hpp"
#include "batch/core.hpp"
#include "batch/loop_lane.hpp"
#include "batch/native_functions.hpp"
#include "batch/tick.hpp"
#include "errors.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

constexpr ns patience_at_exit = std::chrono::seconds{2};  // with a batch function that does not return

std::shared_ptr<redis::client> shared_client(const py::object& client) {
    const py::capsule shared = client.attr("_share")();
    return *shared.get_pointer<std::shared_ptr<redis::client>>();
}

void stop_all() {
    batch_core::stop_all();
    const py::gil_scoped_release nogil;
    exec::thread_pool::stop_shared(patience_at_exit);
}

}  // namespace

void register_batch(py::module_& parent) {
    auto m = parent.def_submodule("batch", "Calls that batch themselves.");
    register_batcher_type(m);
    if (!register_loop_lane()) throw py::error_already_set();
    py::class_<native_function, std::shared_ptr<native_function>>(m, "Function", "A batch function without Python.")
        .def_property_readonly("name", &native_function::name)
        .def("__repr__", [](const native_function& f) { return "<headrace.batch function " + f.name() + ">"; });
    m.attr("Function").attr("__class_getitem__") =
        py::module_::import("builtins").attr("classmethod")(py::module_::import("types").attr("GenericAlias"));
    m.def("identity", &make_identity);
    m.def(
        "redis_get",
        [](const py::object& client, double timeout) { return make_redis_get(shared_client(client), to_ns(timeout)); },
        py::arg("client"), py::arg("timeout"));
    m.def(
        "redis_hget",
        [](const py::object& client, double timeout) { return make_redis_hget(shared_client(client), to_ns(timeout)); },
        py::arg("client"), py::arg("timeout"));
    m.def(
        "sqlite",
        [](const std::string& path, const std::string& query, bool all, double busy_timeout) {
            return make_sqlite(path, query, all, to_ns(busy_timeout));
        },
        py::arg("path"), py::arg("query"), py::arg("all"), py::arg("busy_timeout"));
    m.def(
        "loop_is_running", [] { return current_loop() != nullptr; }, "Whether an event loop runs in this thread.");
    m.def("stop_all", &stop_all, "Stops all batchers; called at exit.");
    py::module_::import("atexit").attr("register")(m.attr("stop_all"));
}

}  // namespace headrace::bindings
