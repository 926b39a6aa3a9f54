#include "loop_stream.hpp"

#include "../bridge/future.hpp"
#include "answer.hpp"
#include "loop_launcher.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

class room_result final : public bridge::pending_result {
public:
    PyObject* to_python() override { return Py_NewRef(Py_None); }
};

struct loop_stream {
    std::optional<net::http::body_stream> out;

    // None: the client has left. False: no room.
    py::object write(const py::object& piece) {
        std::string bytes;
        if (!to_piece(piece.ptr(), bytes)) throw py::error_already_set();
        if (!out) return py::none();
        using result = net::http::body_stream::result;
        switch (out->write(std::move(bytes))) {
            case result::ok: return py::bool_(true);
            case result::full: return py::bool_(false);
            case result::gone: break;
        }
        return py::none();
    }
    py::object room() {
        auto* const r = new room_result;
        auto future = py::reinterpret_steal<py::object>(bridge::make_future(r));
        if (!future) throw py::error_already_set();
        if (out) {
            out->on_writable([r] { bridge::pending_result::finish(*r); });
        } else {
            bridge::pending_result::finish(*r);
        }
        return future;
    }
    void finish() {
        if (out) out->finish();
        out.reset();
    }
};

}  // namespace

PyObject* make_loop_stream(std::optional<net::http::body_stream> out) {
    try {
        auto made = std::make_unique<loop_stream>();
        made->out = std::move(out);
        return py::cast(std::move(made)).release().ptr();
    } catch (py::error_already_set& e) {
        e.restore();
        return nullptr;
    }
}

void register_loop_stream(py::module_& m) {
    py::classh<loop_stream>(m, "LoopStream")
        .def("write", &loop_stream::write, py::arg("piece"))
        .def("room", &loop_stream::room)
        .def("finish", &loop_stream::finish)
        .def("abandon", [](loop_stream& self) { self.out.reset(); });
}

}  // namespace headrace::bindings
