#include "app_routes.hpp"

#include <pybind11/stl.h>

#include "../errors.hpp"
#include "../exec/process_executor.hpp"
#include "../waiting.hpp"
#include "inline_route.hpp"
#include "loop_launcher.hpp"
#include "loop_object.hpp"
#include "process_launcher.hpp"
#include "python_half.hpp"
#include "python_route.hpp"
#include "request_type.hpp"
#include "thread_launcher.hpp"
#include "worker_answers.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

held_object keep(const py::object& o) {
    return held_object(Py_NewRef(o.ptr()));
}

py::dict to_dict(const http::route_counters& c) {
    py::dict d;
    d["requests"] = c.requests;
    d["replied"] = c.replied;
    d["finished"] = c.finished;
    d["failed"] = c.failed;
    d["refused"] = c.refused;
    d["timed_out"] = c.timed_out;
    d["cancelled"] = c.cancelled;
    d["lost"] = c.lost;
    d["detached"] = c.detached;
    d["detached_finished"] = c.detached_finished;
    d["waiting"] = c.waiting;
    d["running"] = c.running;
    return d;
}

std::shared_ptr<python_route> make_route(std::string name, std::shared_ptr<http::launcher> where,
                                         std::shared_ptr<http::accepted_table> accepted, const py::object& handler,
                                         std::size_t concurrency, std::size_t max_queue_size, bool drop_oldest,
                                         double deadline_s) {
    import_python_half();
    const http::route_options options{concurrency, max_queue_size,
                                      drop_oldest ? full_policy::drop_oldest : full_policy::reject, to_ns(deadline_s)};
    return std::make_shared<python_route>(std::move(name), options, std::move(where), std::move(accepted),
                                          keep(handler));
}

template <class F>
void without_gil(F f) {
    const py::gil_scoped_release nogil;
    f();
}

void register_launchers(py::module_& m) {
    py::classh<http::launcher>(m, "Launcher");
    py::classh<thread_launcher, http::launcher>(m, "ThreadLauncher")
        .def(py::init<std::size_t, const std::string&>(), py::arg("threads"), py::arg("name"))
        .def("close", [](thread_launcher& self) { without_gil([&] { self.close(); }); })
        .def(
            "wait_closed",
            [](thread_launcher& self, double timeout) {
                return wait_for(to_ns(timeout), [&](ns slice) { return self.wait_closed(slice); });
            },
            py::arg("timeout"));
    py::classh<process_launcher, http::launcher>(m, "ProcessLauncher")
        .def(py::init([](const py::object& executor, const std::string& call, const std::string& work) {
                 import_python_half();
                 auto* const pool = process_pool_of(executor.ptr());
                 if (pool == nullptr) throw py::error_already_set();
                 return std::make_shared<process_launcher>(keep(executor), *pool, call, work);
             }),
             py::kw_only(), py::arg("executor"), py::arg("call").noconvert(), py::arg("work").noconvert());
    py::classh<loop_launcher, http::launcher>(m, "LoopLauncher")
        .def(py::init([](const inbox_object& inbox) {
                 import_loop_half();
                 return std::make_shared<loop_launcher>(inbox.native);
             }),
             py::arg("inbox"));
    register_loop_stream(m);
}

}  // namespace

void register_app_routes(py::module_& m) {
    register_request_type(m);
    register_worker_answers(m);
    py::classh<http::accepted_table>(m, "AcceptedTable").def(py::init<std::string>(), py::arg("path"));
    register_launchers(m);
    py::classh<python_route>(m, "Route")
        .def(py::init(&make_route), py::kw_only(), py::arg("name"), py::arg("launcher"), py::arg("accepted"),
             py::arg("handler"), py::arg("concurrency"), py::arg("max_queue_size"), py::arg("drop_oldest"),
             py::arg("deadline_s"))
        .def("close", [](python_route& self) { without_gil([&] { self.close(); }); })
        .def(
            "wait_idle",
            [](python_route& self, double timeout) {
                return wait_for(to_ns(timeout), [&](ns slice) { return self.wait_idle(slice); });
            },
            py::arg("timeout"))
        .def("stats", [](const python_route& self) {
            http::route_counters c;
            without_gil([&] { c = self.stats(); });
            return to_dict(c);
        });
    py::classh<inline_route>(m, "InlineRoute")
        .def(py::init([](std::string name, const py::object& handler, double deadline_s) {
                 import_python_half();
                 return std::make_shared<inline_route>(std::move(name), to_ns(deadline_s), keep(handler));
             }),
             py::kw_only(), py::arg("name"), py::arg("handler"), py::arg("deadline_s"))
        .def("stats", [](const inline_route& self) { return to_dict(self.stats()); });
}

}  // namespace headrace::bindings
