// headrace._core.redis: the client for threads and event loops.
#include <pybind11/stl.h>

#include <headrace/redis/client.hpp>
#include <vector>

#include "errors.hpp"
#include "redis_client.hpp"
#include "redis_convert.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

struct client {
    std::shared_ptr<redis::client> native;
    std::shared_ptr<redis_starter> starter;

    client(const std::string& url, double connect_timeout, double give_up_after, std::size_t max_queue_size) {
        redis::client_options options;
        options.connect_timeout = to_ns(connect_timeout);
        options.give_up_after = to_ns(give_up_after);
        options.max_queue_size = max_queue_size;
        throw_if(redis::client::make(url, options, net::runtime::shared(), native));
        native->open();
        starter = std::make_shared<redis_starter>(native);
    }

    // Convert, release and call, convert back.
    py::list run(const std::vector<py::sequence>& commands, double timeout) const {
        std::string bytes;
        std::vector<std::size_t> sizes;
        for (const auto& args : commands) {
            const auto one = format_redis(args);
            sizes.push_back(one.size());
            bytes += one;
        }
        const ns limit = to_ns(timeout);
        std::shared_ptr<redis::call> call;
        {
            py::gil_scoped_release nogil;
            call = native->submit(std::move(bytes), sizes, monotonic_now() + limit);
        }
        // The I/O thread ends the call at its deadline; the second is for a runtime that was stopped.
        const bool complete = wait_for(limit + std::chrono::seconds{1}, [&](ns slice) { return call->wait(slice); });
        if (!complete)
            throw failure_error(failure::of(errc::maybe_executed, native->display() + ": no answer in time"));
        if (call->failed()) {
            auto why = call->failed();
            if (why.message.find(native->display()) == std::string::npos)
                why.message = native->display() + ": " + why.message;
            throw failure_error(why);
        }
        py::list replies;
        for (const auto& v : call->take()) replies.append(redis_value(v));
        return replies;
    }
};

}  // namespace

void register_redis(py::module_& parent) {
    auto m = parent.def_submodule("redis", "Native Redis client.");
    py::classh<client>(m, "Client")
        .def(py::init<const std::string&, double, double, std::size_t>(), py::arg("url"), py::kw_only(),
             py::arg("connect_timeout"), py::arg("give_up_after"), py::arg("max_queue_size"))
        .def("run", &client::run, py::arg("commands"), py::arg("timeout"),
             "Sends the commands in one write and returns one reply each, in order.")
        .def(
            "start",
            [](const client& self, const py::sequence& command, double timeout) {
                return self.starter->start(self.starter, command, timeout);
            },
            py::arg("command"), py::arg("timeout"), "A Future of the reply.")
        .def(
            "start_many",
            [](const client& self, const std::vector<py::sequence>& commands, double timeout) {
                return self.starter->start_many(self.starter, commands, timeout);
            },
            py::arg("commands"), py::arg("timeout"), "A Future of the replies.")
        .def(
            "close", [](const client& self) { self.native->close(); }, py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("closed",
                               [](const client& self) {
                                   py::gil_scoped_release nogil;
                                   return self.native->closed();
                               })
        .def_property_readonly("connected", [](const client& self) { return self.native->connected(); })
        .def("_share",
             [](const client& self) {
                 return py::capsule(new std::shared_ptr<redis::client>(self.native),
                                    [](void* p) { delete static_cast<std::shared_ptr<redis::client>*>(p); });
             })
        .def_property_readonly("address", [](const client& self) { return self.native->display(); })
        .def("stats", [](const client& self) {
            redis::connection::counters s;
            {
                py::gil_scoped_release nogil;
                s = self.native->stats();
            }
            py::dict d;
            d["writes"] = s.writes;
            d["reads"] = s.reads;
            d["bytes_out"] = s.bytes_out;
            d["bytes_in"] = s.bytes_in;
            d["reconnects"] = s.reconnects;
            return d;
        });
    register_subscriber(m);
}

}  // namespace headrace::bindings
