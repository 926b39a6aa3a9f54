// headrace._core.mq: Producer and Consumer for threads.
#include <pybind11/stl.h>

#include <headrace/mq/consumer.hpp>
#include <headrace/mq/producer.hpp>

#include "ack_future.hpp"
#include "bridge/noticed.hpp"
#include "errors.hpp"
#include "link_counters.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

using mq::consumer;
using mq::producer;

// Our locks are never waited for with the GIL held (docs/lock-order.md).
template <class F>
auto without_gil(F f) {
    py::gil_scoped_release nogil;
    return f();
}

// bytes and str without a copy, other buffers with one.
py::object to_text(const py::object& data, std::string_view& view) {
    py::object holder = data;
    if (PyUnicode_Check(data.ptr())) {
        Py_ssize_t size = 0;
        const char* text = PyUnicode_AsUTF8AndSize(data.ptr(), &size);
        if (text == nullptr) throw py::error_already_set();
        view = {text, static_cast<std::size_t>(size)};
        return holder;
    }
    if (!PyBytes_Check(data.ptr())) {
        if (!PyObject_CheckBuffer(data.ptr())) {
            throw py::type_error("a payload must be bytes, str or a buffer, not " +
                                 std::string(Py_TYPE(data.ptr())->tp_name));
        }
        holder = py::reinterpret_steal<py::object>(PyBytes_FromObject(data.ptr()));
        if (!holder) throw py::error_already_set();
    }
    view = {PyBytes_AS_STRING(holder.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(holder.ptr()))};
    return holder;
}

py::str send(producer& self, const py::object& payload, const py::object& id, double timeout) {
    std::string_view bytes, name;
    const auto keep_payload = to_text(payload, bytes);
    const auto keep_id = id.is_none() ? id : to_text(id, name);
    const ns deadline = monotonic_now() + to_ns(timeout);
    std::string id_out;
    for (;;) {
        switch (without_gil([&] { return self.try_send(bytes, name, id_out); })) {
            case producer::outcome::queued: return {id_out};
            case producer::outcome::failed: throw failure_error(self.failed());
            case producer::outcome::full: break;
        }
        const ns left = deadline - monotonic_now();
        if (left.count() <= 0) {
            throw failure_error(
                failure::of(errc::queue_full, "the window is full: every message allowed is unacknowledged"));
        }
        wait_for(left, [&](ns slice) { return self.wait_room(slice); });
    }
}

// None when the window is full.
py::object try_send(producer& self, const py::object& payload, const py::object& id) {
    std::string_view bytes, name;
    const auto keep_payload = to_text(payload, bytes);
    const auto keep_id = id.is_none() ? id : to_text(id, name);
    std::string id_out;
    switch (without_gil([&] { return self.try_send(bytes, name, id_out); })) {
        case producer::outcome::queued: return py::str(id_out);
        case producer::outcome::failed: throw failure_error(self.failed());
        case producer::outcome::full: break;
    }
    return py::none();
}

// (id, Future of the acknowledgement), or None when the window is full.
py::object try_send_acked(producer& self, const py::object& payload, const py::object& id) {
    std::string_view bytes, name;
    const auto keep_payload = to_text(payload, bytes);
    const auto keep_id = id.is_none() ? id : to_text(id, name);
    std::string id_out;
    auto* ack = new ack_result;
    const auto future = py::reinterpret_steal<py::object>(bridge::make_future(ack));
    if (!future) throw py::error_already_set();
    const auto outcome = without_gil([&] { return self.try_send(bytes, name, id_out, ack); });
    if (outcome == producer::outcome::queued) return py::make_tuple(py::str(id_out), future);
    bridge::pending_result::finish(*ack);  // nobody has seen it
    if (outcome == producer::outcome::failed) throw failure_error(self.failed());
    return py::none();
}

py::list take_acks(producer& self) {
    const auto acks = without_gil([&] { return self.take_acks(); });
    py::list out;
    for (const auto& a : acks) {
        const py::object error =
            a.error ? py::reinterpret_steal<py::object>(static_cast<PyObject*>(make_exception(a.error)))
                    : py::object(py::none());
        out.append(py::make_tuple(a.id, a.sent.count(), a.acked.count(), error));
    }
    return out;
}

py::str decode(const std::string& text) {
    auto decoded = py::reinterpret_steal<py::str>(
        PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
    if (!decoded) throw py::error_already_set();
    return decoded;
}

void register_producer(py::module_& m) {
    py::classh<producer>(m, "Producer")
        .def(py::init([](const std::string& url, const std::string& topic, std::size_t window, std::size_t batch,
                         const std::string& instance, bool collect_acks, double give_up_after) {
                 mq::producer_options o{url, topic, window, batch, instance, collect_acks, to_ns(give_up_after)};
                 std::unique_ptr<producer> out;
                 throw_if(producer::make(std::move(o), net::runtime::shared(), out));
                 return out;
             }),
             py::kw_only(), py::arg("url"), py::arg("topic"), py::arg("window"), py::arg("batch"), py::arg("instance"),
             py::arg("collect_acks"), py::arg("give_up_after"))
        .def("wait_open",
             [](producer& p, double timeout) {
                 const bool open = wait_for(to_ns(timeout), [&](ns slice) { return p.wait_open(slice); });
                 throw_if(p.failed());
                 return open;
             })
        .def("send", &send, py::arg("payload"), py::arg("id"), py::arg("timeout"))
        .def("flush",
             [](producer& p, double timeout) {
                 const bool settled = wait_for(to_ns(timeout), [&](ns slice) { return p.wait_settled(slice); });
                 throw_if(p.failed());
                 return settled;
             })
        .def("take_acks", &take_acks)
        .def("try_send", &try_send, py::arg("payload"), py::arg("id"))
        .def("try_send_acked", &try_send_acked, py::arg("payload"), py::arg("id"))
        .def("check", [](const producer& p) { throw_if(without_gil([&] { return p.failed(); })); })
        .def("when_open", [](producer& p) { return bridge::future_of_notice([&](notice& n) { p.when_open(n); }); })
        .def("when_room", [](producer& p) { return bridge::future_of_notice([&](notice& n) { p.when_room(n); }); })
        .def("when_settled",
             [](producer& p) { return bridge::future_of_notice([&](notice& n) { p.when_settled(n); }); })
        .def("close", &producer::close, py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("closed", [](const producer& p) { return without_gil([&] { return p.closed(); }); })
        .def("stats", [](const producer& p) {
            const auto c = without_gil([&] { return p.stats(); });
            py::dict d;
            d["sent"] = c.sent;
            d["acked"] = c.acked;
            d["failed"] = c.failed;
            d["in_flight"] = c.in_flight;
            put_link(d, c.link);
            return d;
        });
}

void register_consumer(py::module_& m) {
    py::classh<mq::message>(m, "Message", "One received message.")
        .def_property_readonly(
            "id", [](const mq::message& x) { return decode(x.id); }, "The producer's id (str).")
        .def_property_readonly(
            "payload", [](const mq::message& x) { return py::bytes(x.payload); }, "bytes")
        .def_property_readonly(
            "broker_id", [](const mq::message& x) { return decode(x.broker_id); },
            "The broker's own name for it (str).")
        .def_readonly("redelivered", &mq::message::redelivered, "It had been delivered before.")
        .def_readonly("tag", &mq::message::tag, "This consumer's number for it, rising from 0.")
        .def_property_readonly(
            "received_ns", [](const mq::message& x) { return x.received.count(); }, "Monotonic ns.")
        .def("__len__", [](const mq::message& x) { return x.payload.size(); })
        .def("__repr__", [](const mq::message& x) {
            return py::str("<Message {} {} bytes{}>")
                .format(decode(x.id), x.payload.size(), x.redelivered ? " redelivered" : "");
        });
    py::classh<consumer>(m, "Consumer")
        .def(py::init([](const std::string& url, const std::string& topic, const std::string& group,
                         const std::string& name, std::size_t batch, std::size_t prefetch, double claim_idle,
                         double give_up_after) {
                 mq::consumer_options o{
                     url, topic, group, name, batch, prefetch, to_ns(claim_idle), to_ns(give_up_after)};
                 std::unique_ptr<consumer> out;
                 throw_if(consumer::make(std::move(o), net::runtime::shared(), out));
                 return out;
             }),
             py::kw_only(), py::arg("url"), py::arg("topic"), py::arg("group"), py::arg("name"), py::arg("batch"),
             py::arg("prefetch"), py::arg("claim_idle"), py::arg("give_up_after"))
        .def("wait_open",
             [](consumer& c, double timeout) {
                 const bool open = wait_for(to_ns(timeout), [&](ns slice) { return c.wait_open(slice); });
                 throw_if(c.failed());
                 return open;
             })
        .def("receive",
             [](consumer& c, double timeout, std::size_t most) {
                 std::vector<mq::message> got;
                 const bool some =
                     wait_for(to_ns(timeout), [&](ns slice) { return c.receive(slice, most, got) || c.failed(); });
                 if (got.empty() && some) throw failure_error(c.failed());
                 py::list out;
                 for (auto& message : got) out.append(py::cast(std::move(message)));
                 return out;
             })
        .def("check", [](const consumer& c) { throw_if(without_gil([&] { return c.failed(); })); })
        .def("when_open", [](consumer& c) { return bridge::future_of_notice([&](notice& n) { c.when_open(n); }); })
        .def("when_received",
             [](consumer& c) { return bridge::future_of_notice([&](notice& n) { c.when_received(n); }); })
        .def("when_settled",
             [](consumer& c) { return bridge::future_of_notice([&](notice& n) { c.when_settled(n); }); })
        .def("ack", &consumer::ack, py::call_guard<py::gil_scoped_release>())
        .def("ack_through", &consumer::ack_through, py::call_guard<py::gil_scoped_release>())
        .def("flush",
             [](consumer& c, double timeout) {
                 const bool settled = wait_for(to_ns(timeout), [&](ns slice) { return c.wait_settled(slice); });
                 throw_if(c.failed());
                 return settled;
             })
        .def("close", &consumer::close, py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("closed", [](const consumer& c) { return without_gil([&] { return c.closed(); }); })
        .def("stats", [](const consumer& c) {
            const auto s = without_gil([&] { return c.stats(); });
            py::dict d;
            d["received"] = s.received;
            d["acked"] = s.acked;
            d["redelivered"] = s.redelivered;
            d["unacked"] = s.unacked;
            d["waiting"] = s.waiting;
            put_link(d, s.link);
            return d;
        });
}

}  // namespace

void register_mq_clients(py::module_& parent) {
    py::module_ m = parent.attr("mq");
    register_producer(m);
    register_consumer(m);
}

}  // namespace headrace::bindings
