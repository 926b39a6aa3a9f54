// headrace._core.redis: the client for threads.
#include <pybind11/stl.h>

#include <headrace/redis/client.hpp>
#include <vector>

#include "errors.hpp"
#include "registers.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

using redis::value;

// One argument of a command as Redis sees it. bytes and str as they are, numbers as Python prints them.
void append_argument(py::handle arg, std::vector<py::object>& keep, std::vector<std::string_view>& views) {
    py::object holder;
    if (PyBytes_Check(arg.ptr()) || PyUnicode_Check(arg.ptr())) {
        holder = py::reinterpret_borrow<py::object>(arg);
    } else if (PyByteArray_Check(arg.ptr()) || PyMemoryView_Check(arg.ptr())) {
        holder = py::reinterpret_steal<py::object>(PyBytes_FromObject(arg.ptr()));
    } else if (PyBool_Check(arg.ptr()) || (!PyLong_Check(arg.ptr()) && !PyFloat_Check(arg.ptr()))) {
        throw py::type_error("a Redis argument must be bytes, str, int or float, not " +
                             std::string(Py_TYPE(arg.ptr())->tp_name));
    } else {
        holder = py::reinterpret_steal<py::object>(PyObject_Repr(arg.ptr()));
    }
    if (!holder) throw py::error_already_set();
    if (PyUnicode_Check(holder.ptr())) {
        Py_ssize_t size = 0;
        const char* text = PyUnicode_AsUTF8AndSize(holder.ptr(), &size);
        if (text == nullptr) throw py::error_already_set();
        views.emplace_back(text, static_cast<std::size_t>(size));
    } else {
        views.emplace_back(PyBytes_AS_STRING(holder.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(holder.ptr())));
    }
    keep.push_back(std::move(holder));
}

std::string format(const py::sequence& args) {
    if (py::len(args) == 0) throw failure_error(failure::of(errc::invalid_argument, "a Redis command needs a name"));
    std::vector<py::object> keep;
    std::vector<std::string_view> views;
    for (const auto arg : args) append_argument(arg, keep, views);
    return redis::format_command(views);
}

// A server error inside a reply is an exception object: raised when it is the whole reply, a value inside arrays.
py::object to_python(const value& v) {
    switch (v.type) {
        case value::kind::nil: return py::none();
        case value::kind::status: return py::str(v.text);
        case value::kind::error:
            return py::reinterpret_steal<py::object>(
                static_cast<PyObject*>(make_exception(failure::of(errc::server_error, v.text))));
        case value::kind::string: return py::bytes(v.text);
        case value::kind::integer: return py::int_(v.number);
        case value::kind::array: {
            py::list items(v.items.size());
            for (std::size_t i = 0; i < v.items.size(); ++i) items[i] = to_python(v.items[i]);
            return items;
        }
    }
    return py::none();
}

struct client {
    std::shared_ptr<redis::client> native;

    client(const std::string& url, double connect_timeout, double give_up_after, std::size_t max_queue_size) {
        redis::client_options options;
        options.connect_timeout = to_ns(connect_timeout);
        options.give_up_after = to_ns(give_up_after);
        options.max_queue_size = max_queue_size;
        throw_if(redis::client::make(url, options, net::runtime::shared(), native));
        native->open();
    }

    // Convert, release and call, convert back.
    py::list run(const std::vector<py::sequence>& commands, double timeout) const {
        std::string bytes;
        std::vector<std::size_t> sizes;
        for (const auto& args : commands) {
            const auto one = format(args);
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
        for (const auto& v : call->take()) replies.append(to_python(v));
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
}

}  // namespace headrace::bindings
