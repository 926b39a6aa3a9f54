// headrace._core.http.AsgiSite: an application on the running loop, to be given to a server.
#include <pybind11/stl.h>

#include "../http/loop_object.hpp"
#include "register.hpp"

namespace headrace::bindings::asgi {

namespace py = pybind11;

site_ref make_site(const inbox_object& inbox, const py::function& report, py::object application, const py::dict& o) {
    const auto object = [&](const char* key) { return o[key].ptr(); };
    auto* const made = new site(
        inbox.native, {application.ptr(), object("http_scope"), object("websocket_scope"), object("state"),
                       report.ptr(), object("disconnected"), o["root_path"].cast<std::string>(),
                       o["limit_concurrency"].cast<std::size_t>(), o["max_websocket_message"].cast<std::size_t>()});
    site_ref ref(*made);
    made->release_with_gil();
    return ref;
}

void register_asgi(py::module_& http) {
    if (!register_channel()) throw py::error_already_set();
    py::classh<site_object>(http, "AsgiSite")
        .def(py::init([](const inbox_object& inbox, py::object application, const py::function& report,
                         const py::dict& options) {
                 return std::make_unique<site_object>(make_site(inbox, report, std::move(application), options));
             }),
             py::arg("inbox"), py::arg("application"), py::arg("report"), py::arg("options"))
        .def_property_readonly("running", [](const site_object& self) { return self.native->running.load(); });
}

}  // namespace headrace::bindings::asgi
