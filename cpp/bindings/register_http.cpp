// headrace._core.http: the server core with native routes, and the routes of Python apps.
#include <pybind11/stl.h>

#include <headrace/http/native_routes.hpp>
#include <map>

#include "asgi/register.hpp"
#include "errors.hpp"
#include "http/app_routes.hpp"
#include "http/inline_route.hpp"
#include "http/loop_inbox.hpp"
#include "http/python_route.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

using net::http::server_options;

// Counters of the server and of these routes, asked for by name when somebody looks.
void add_metrics(const std::shared_ptr<net::http::server>& to, const std::string& pattern,
                 std::vector<std::pair<std::string, std::shared_ptr<python_route>>> waiting,
                 std::vector<std::pair<std::string, std::shared_ptr<inline_route>>> direct) {
    const py::gil_scoped_release nogil;
    throw_if(to->route("GET", pattern,
                       [server = std::weak_ptr(to), waiting = std::move(waiting), direct = std::move(direct)](
                           const net::http::request&, net::http::responder& r) {
                           std::vector<std::pair<std::string, http::route_counters>> all;
                           for (const auto& [name, route] : waiting) all.emplace_back(name, route->stats());
                           for (const auto& [name, route] : direct) all.emplace_back(name, route->stats());
                           const auto s = server.lock();
                           r.send(200, "text/plain; version=0.0.4; charset=utf-8",
                                  (s ? prometheus_text(s->stats()) : std::string()) + http::prometheus_text(all));
                       }));
}

// One setting by its Python name; sizes are ints, durations float seconds.
using setter = void (*)(server_options&, const py::handle&);

template <auto Member>
void plain(server_options& o, const py::handle& v) {
    o.*Member = v.cast<std::remove_reference_t<decltype(o.*Member)>>();
}
template <auto Member>
void limit(server_options& o, const py::handle& v) {
    o.limits.*Member = v.cast<std::remove_reference_t<decltype(o.limits.*Member)>>();
}
template <auto Member>
void seconds(server_options& o, const py::handle& v) {
    o.*Member = to_ns(v.cast<double>());
}

const std::map<std::string, setter, std::less<>>& setters() {
    using limits = net::http::parse_limits;
    static const std::map<std::string, setter, std::less<>> table{
        {"host", plain<&server_options::host>},
        {"port", plain<&server_options::port>},
        {"share_port", plain<&server_options::share_port>},
        {"backlog", plain<&server_options::backlog>},
        {"cert_file", plain<&server_options::cert_file>},
        {"key_file", plain<&server_options::key_file>},
        {"max_connections", plain<&server_options::max_connections>},
        {"max_requests_per_connection", plain<&server_options::max_requests_per_connection>},
        {"max_pipelined", plain<&server_options::max_pipelined>},
        {"max_stream_buffered", plain<&server_options::max_stream_buffered>},
        {"max_body_buffered", plain<&server_options::max_body_buffered>},
        {"max_streamed_body", plain<&server_options::max_streamed_body>},
        {"min_rate", plain<&server_options::min_rate>},
        {"cancel_on_half_close", plain<&server_options::cancel_on_half_close>},
        {"server_name", plain<&server_options::server_name>},
        {"access_log", plain<&server_options::access_log>},
        {"max_access_log_buffered", plain<&server_options::max_access_log_buffered>},
        {"header_timeout_s", seconds<&server_options::header_timeout>},
        {"idle_timeout_s", seconds<&server_options::idle_timeout>},
        {"body_timeout_s", seconds<&server_options::body_timeout>},
        {"write_timeout_s", seconds<&server_options::write_timeout>},
        {"linger_timeout_s", seconds<&server_options::linger_timeout>},
        {"websocket_ping_interval_s", seconds<&server_options::websocket_ping_interval>},
        {"max_request_line", limit<&limits::max_request_line>},
        {"max_headers", limit<&limits::max_headers>},
        {"max_header_bytes", limit<&limits::max_header_bytes>},
        {"max_body", limit<&limits::max_body>},
        {"max_chunk_line", limit<&limits::max_chunk_line>},
        {"max_chunk_overhead", limit<&limits::max_chunk_overhead>},
        {"max_trailers", limit<&limits::max_trailers>},
        {"max_trailer_bytes", limit<&limits::max_trailer_bytes>},
    };
    return table;
}

server_options to_options(const py::dict& given) {
    server_options o;
    for (const auto& [key, value] : given) {
        const auto name = key.cast<std::string>();
        const auto found = setters().find(name);
        if (found == setters().end()) throw py::type_error("http server: unknown setting '" + name + "'");
        try {
            found->second(o, value);
        } catch (const py::cast_error&) {
            throw py::type_error("http server: " + name + " cannot be " + std::string(py::repr(value)));
        }
    }
    return o;
}

struct server {
    std::shared_ptr<net::http::server> native;

    server(std::size_t threads, const py::dict& settings) {
        auto options = to_options(settings);
        if (threads == 0)
            throw failure_error(failure::of(errc::invalid_argument, "http server: threads must be at least 1"));
        const py::gil_scoped_release nogil;
        throw_if(net::http::server::make(
            std::move(options), std::make_shared<net::runtime>(net::runtime_options{.io_threads = threads}), native));
    }
    ~server() {
        const py::gil_scoped_release nogil;
        native.reset();
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    template <class Route>
    void add(const std::string& method, const std::string& pattern, const std::shared_ptr<Route>& to) const {
        const py::gil_scoped_release nogil;
        throw_if(native->route(method, pattern,
                               [to](const net::http::request& q, net::http::responder& r) { to->handle(q, r); }));
    }

    void begin_stop(double grace) const {
        const py::gil_scoped_release nogil;
        native->begin_stop(to_ns(grace));
    }

    void stop(double grace) const {
        const ns limit = to_ns(grace);
        begin_stop(grace);
        // After `grace` what is left is closed, which takes no time; the second is for a busy machine.
        const bool stopped =
            wait_for(limit + std::chrono::seconds{1}, [&](ns slice) { return native->wait_stopped(slice); });
        if (!stopped) throw failure_error(failure::of(errc::timed_out, "http server: connections are still open"));
    }
};

py::dict to_dict(const net::http::server_stats& s) {
    py::dict d;
    d["connections_accepted"] = s.connections_accepted;
    d["connections_open"] = s.connections_open;
    d["connections_refused"] = s.connections_refused;
    d["connections_dropped"] = s.connections_dropped;
    d["websockets_open"] = s.websockets_open;
    d["requests"] = s.requests;
    d["bad_requests"] = s.bad_requests;
    d["cancelled"] = s.cancelled;
    d["timeouts"] = s.timeouts;
    d["bytes_in"] = s.bytes_in;
    d["bytes_out"] = s.bytes_out;
    d["writes"] = s.writes;
    d["log_lines_dropped"] = s.log_lines_dropped;
    for (std::size_t i = 1; i < s.responses.size(); ++i) {
        d[py::str("responses_" + std::to_string(i) + "xx")] = s.responses[i];
    }
    return d;
}

}  // namespace

void register_http(py::module_& parent) {
    auto m =
        parent.def_submodule("http", "HTTP server core with native routes, routes of Python apps, event loops, ASGI.");
    py::classh<server>(m, "Server")
        .def(py::init<std::size_t, const py::dict&>(), py::kw_only(), py::arg("threads"), py::arg("settings"))
        .def(
            "route",
            [](const server& self, const std::string& method, const std::string& pattern, const std::string& native) {
                const py::gil_scoped_release nogil;
                throw_if(http::add_native_route(self.native, method, pattern, native));
            },
            py::arg("method"), py::arg("pattern"), py::arg("native"))
        .def(
            "route_asgi",
            [](const server& self, const asgi::site_object& to) {
                throw_if(self.native->route_rest(
                    [site = to.native](const net::http::request& q, net::http::responder& r) { site->handle(q, r); },
                    net::http::body_mode::streamed));
            },
            py::arg("site"))
        .def(
            "start", [](const server& self) { throw_if(self.native->start()); },
            py::call_guard<py::gil_scoped_release>())
        .def("begin_stop", &server::begin_stop, py::arg("grace_s"))
        .def("stop", &server::stop, py::arg("grace_s"))
        .def("add", &server::add<python_route>, py::arg("method"), py::arg("pattern"), py::arg("to"))
        .def("add_inline", &server::add<inline_route>, py::arg("method"), py::arg("pattern"), py::arg("to"))
        .def(
            "add_status",
            [](const server& self, const std::string& pattern, std::shared_ptr<http::accepted_table> table) {
                const py::gil_scoped_release nogil;
                throw_if(self.native->route("GET", pattern, http::accepted_status(std::move(table))));
            },
            py::arg("pattern"), py::arg("table"))
        .def(
            "add_metrics",
            [](const server& self, const std::string& pattern,
               std::vector<std::pair<std::string, std::shared_ptr<python_route>>> waiting,
               std::vector<std::pair<std::string, std::shared_ptr<inline_route>>> direct) {
                add_metrics(self.native, pattern, std::move(waiting), std::move(direct));
            },
            py::arg("pattern"), py::arg("waiting"), py::arg("direct"))
        .def_property_readonly("port", [](const server& self) { return self.native->port(); })
        .def("stats", [](const server& self) { return to_dict(self.native->stats()); })
        .def("metrics", [](const server& self) { return prometheus_text(self.native->stats()); });
    register_loop_inbox(m);
    asgi::register_asgi(m);
    register_app_routes(m);
}

}  // namespace headrace::bindings
