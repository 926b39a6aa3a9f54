#include "worker_answers.hpp"

#include <headrace/http/answer_wire.hpp>
#include <string>

#include "../exec/pickling.hpp"
#include "answer.hpp"
#include "python_half.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

py::bytes joined(const http::wire_answer& a, std::string_view content) {
    const auto head = http::pack_head(a);
    PyObject* const whole = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(head.size() + content.size()));
    if (whole == nullptr) throw py::error_already_set();
    content.copy(head.copy(PyBytes_AS_STRING(whole), head.size()) + PyBytes_AS_STRING(whole), content.size());
    return py::reinterpret_steal<py::bytes>(whole);
}

// There is one answer per call: what is yielded is gathered.
std::string gather(PyObject* iterator) {
    std::string all, piece;
    while (PyObject* const next = PyIter_Next(iterator)) {
        const bool good = to_piece(next, piece);
        Py_DECREF(next);
        if (!good) throw py::error_already_set();
        all.append(piece);
    }
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    return all;
}

py::bytes pack_answer(const py::object& result) {
    import_python_half();
    http::wire_answer wire_out;
    std::string_view type, content;
    PyObject* owner = nullptr;
    if (view_of(result.ptr(), type, content, owner)) {
        const auto held = py::reinterpret_steal<py::object>(owner);
        wire_out.head.content_type = type;
        return joined(wire_out, content);
    }
    answer a;
    if (PyErr_Occurred() != nullptr || !to_answer(result.ptr(), a)) throw py::error_already_set();
    wire_out.head = std::move(a.head);
    std::string body = std::move(wire_out.head.body);
    if (a.what == answer::kind::stream) body = gather(a.rest.get());
    if (a.what == answer::kind::async_stream)
        throw py::type_error("an async generator needs a route with executor=\"asyncio\"");
    if (a.what == answer::kind::accepted) {
        wire_out.what = http::wire_answer::kind::accepted;
        PyObject* const dumps = wire("dumps");
        PyObject* const packed = dumps == nullptr ? nullptr : PyObject_CallOneArg(dumps, a.rest.get());
        if (packed == nullptr) throw py::error_already_set();
        body = py::reinterpret_steal<py::bytes>(packed);
    }
    return joined(wire_out, body);
}

py::bytes pack_raised(unsigned status, std::string text, std::string log) {
    http::wire_answer a;
    a.what = http::wire_answer::kind::raised;
    a.head.status = status;
    a.head.content_type = "text/plain; charset=utf-8";
    a.log = std::move(log);
    return joined(a, text);
}

}  // namespace

void register_worker_answers(py::module_& m) {
    m.def("pack_answer", &pack_answer, py::arg("result"), "What a handler returned, for the parent process.");
    m.def("pack_raised", &pack_raised, py::arg("status"), py::arg("text"), py::arg("log"),
          "What it raised: the client's answer, and what the parent logs; empty: nothing.");
}

}  // namespace headrace::bindings
