// headrace._core.redis.Subscriber: pub/sub for threads and event loops.
#include <pybind11/stl.h>

#include <headrace/redis/subscriber.hpp>

#include "bridge/noticed.hpp"
#include "errors.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

using redis::subscriber;

py::object text(const std::string& bytes) {
    auto decoded = py::reinterpret_steal<py::object>(
        PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape"));
    if (!decoded) throw py::error_already_set();
    return decoded;
}

subscriber::kind kind_of(bool pattern) {
    return pattern ? subscriber::kind::pattern : subscriber::kind::channel;
}

std::unique_ptr<subscriber> make(const std::string& url, double connect_timeout, double give_up_after,
                                 std::size_t max_queue_size, bool drop_oldest) {
    const redis::subscriber_options options{to_ns(connect_timeout), to_ns(give_up_after), max_queue_size, drop_oldest};
    std::unique_ptr<subscriber> out;
    throw_if(subscriber::make(url, options, net::runtime::shared(), out));
    return out;
}

py::list receive(subscriber& self, double timeout, std::size_t most) {
    std::vector<redis::published> got;
    const bool some = wait_for(
        to_ns(timeout), [&](ns slice) { return self.receive(slice, most, got) || static_cast<bool>(self.failed()); });
    if (got.empty() && some) throw_if(self.failed());
    py::list out;
    for (const auto& m : got) {
        out.append(py::make_tuple(text(m.channel), py::bytes(m.payload),
                                  m.pattern.empty() ? py::object(py::none()) : text(m.pattern)));
    }
    return out;
}

py::dict stats(const subscriber& self) {
    subscriber::counters c;
    {
        py::gil_scoped_release nogil;
        c = self.stats();
    }
    py::dict d;
    d["received"] = c.received;
    d["dropped"] = c.dropped;
    d["waiting"] = c.waiting;
    d["reconnects"] = c.reconnects;
    d["bytes_in"] = c.bytes_in;
    return d;
}

}  // namespace

void register_subscriber(py::module_& redis) {
    using no_gil = py::call_guard<py::gil_scoped_release>;
    py::classh<subscriber>(redis, "Subscriber")
        .def(py::init(&make), py::arg("url"), py::kw_only(), py::arg("connect_timeout"), py::arg("give_up_after"),
             py::arg("max_queue_size"), py::arg("drop_oldest"))
        .def(
            "subscribe",
            [](subscriber& self, bool pattern, std::vector<std::string> names) {
                self.subscribe(kind_of(pattern), std::move(names));
            },
            no_gil())
        .def(
            "unsubscribe",
            [](subscriber& self, bool pattern, std::vector<std::string> names) {
                self.unsubscribe(kind_of(pattern), std::move(names));
            },
            no_gil())
        .def("wait_subscribed",
             [](subscriber& self, double timeout) {
                 const bool done = wait_for(to_ns(timeout), [&](ns slice) { return self.wait_subscribed(slice); });
                 throw_if(self.failed());
                 return done;
             })
        .def("when_subscribed",
             [](subscriber& self) { return bridge::future_of_notice([&](notice& n) { self.when_subscribed(n); }); })
        .def("receive", &receive)
        .def("when_received",
             [](subscriber& self) { return bridge::future_of_notice([&](notice& n) { self.when_received(n); }); })
        .def("close", &subscriber::close, no_gil())
        .def_property_readonly("closed",
                               [](const subscriber& self) {
                                   py::gil_scoped_release nogil;
                                   return self.closed();
                               })
        .def_property_readonly("address", &subscriber::display)
        .def("stats", &stats);
}

}  // namespace headrace::bindings
