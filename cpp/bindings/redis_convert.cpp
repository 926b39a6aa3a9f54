#include "redis_convert.hpp"

#include <headrace/redis/codec.hpp>

#include "errors.hpp"

namespace headrace::bindings {
namespace {

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

}  // namespace

std::string format_redis(const py::sequence& args) {
    if (py::len(args) == 0) throw failure_error(failure::of(errc::invalid_argument, "a Redis command needs a name"));
    std::vector<py::object> keep;
    std::vector<std::string_view> views;
    for (const auto arg : args) append_argument(arg, keep, views);
    return redis::format_command(views);
}

// A server error inside a reply is an exception object: raised when it is the whole reply, a value inside arrays.
py::object redis_value(const redis::value& v) {
    switch (v.type) {
        case redis::value::kind::nil: return py::none();
        case redis::value::kind::status: return py::str(v.text);
        case redis::value::kind::error:
            return py::reinterpret_steal<py::object>(
                static_cast<PyObject*>(make_exception(failure::of(errc::server_error, v.text))));
        case redis::value::kind::string: return py::bytes(v.text);
        case redis::value::kind::integer: return py::int_(v.number);
        case redis::value::kind::array: {
            py::list items(v.items.size());
            for (std::size_t i = 0; i < v.items.size(); ++i) items[i] = redis_value(v.items[i]);
            return items;
        }
    }
    return py::none();
}

}  // namespace headrace::bindings
