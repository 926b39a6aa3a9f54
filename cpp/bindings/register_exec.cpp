// headrace._core.exec: executors, their futures, and the loop of worker processes.
#include "exec/call.hpp"
#include "exec/future_type.hpp"
#include "exec/pickling.hpp"
#include "exec/process_executor.hpp"
#include "exec/serve.hpp"
#include "exec/slab_view.hpp"
#include "exec/thread_executor.hpp"
#include "registers.hpp"

namespace headrace::bindings {

void register_exec(py::module_& parent) {
    auto m = parent.def_submodule("exec", "Calls in worker threads and worker processes.");
    prepare_pickling();
    register_future_type(m);
    register_process_executor(m);
    register_thread_executor(m);
    register_serve(m);
    m.def(
        "copy_out",
        [](const py::object& buffer) {
            PyObject* const bytes = copy_out(buffer.ptr());
            if (bytes == nullptr) throw py::error_already_set();
            return py::reinterpret_steal<py::bytes>(bytes);
        },
        py::arg("buffer"), "bytes of a received buffer.");
    m.def(
        "export",
        [](const py::object& bytes) {
            if (!PyBytes_Check(bytes.ptr()) && !PyByteArray_Check(bytes.ptr()))
                throw py::type_error("export() takes bytes or a bytearray");
            PyObject* const buffer = make_export(bytes.ptr());
            if (buffer == nullptr) throw py::error_already_set();
            return py::reinterpret_steal<py::object>(buffer);
        },
        py::arg("bytes"), "Their memory as a buffer for pickle.");
    m.def("stop_delivery", &stop_delivery, "Nobody is told of done futures any more; called at exit.");
}

}  // namespace headrace::bindings
