#include "slab_view.hpp"

#include <new>

#include "executor_object.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

struct view_object {
    PyObject_HEAD std::shared_ptr<slab_lease> lease;
    std::uint64_t offset;
    std::uint64_t size;
};

struct export_object {
    PyObject_HEAD PyObject* bytes;
};

PyTypeObject* view_type = nullptr;
PyTypeObject* export_type = nullptr;

int get_exported(PyObject* self, Py_buffer* out, int flags) {
    PyObject* const bytes = reinterpret_cast<export_object*>(self)->bytes;
    if (PyByteArray_Check(bytes)) return PyObject_GetBuffer(bytes, out, flags);  // which also keeps its size
    return PyBuffer_FillInfo(out, self, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes), 0, flags);
}

void dealloc_export(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    Py_XDECREF(reinterpret_cast<export_object*>(self)->bytes);
    type->tp_free(self);
    Py_DECREF(type);
}

PyType_Slot export_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc_export)},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_exported)},
    {0, nullptr},
};
PyType_Spec export_spec = {"headrace._core.exec.Export", sizeof(export_object), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, export_slots};

int get_buffer(PyObject* self, Py_buffer* out, int flags) {
    auto* view = reinterpret_cast<view_object*>(self);
    auto& slab = view->lease->slab();
    const std::uint64_t end = view->offset + view->size;
    bool filled = slab.filled() >= end;
    if (!filled) {
        const py::gil_scoped_release nogil;
        filled = slab.wait_filled(end);
    }
    if (filled)
        return PyBuffer_FillInfo(out, self, slab.data() + view->offset, static_cast<Py_ssize_t>(view->size), 0, flags);
    PyErr_SetString(PyExc_BufferError, "the process that sent this buffer ended before all of it was there");
    return -1;
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    reinterpret_cast<view_object*>(self)->lease.~shared_ptr();
    type->tp_free(self);
    Py_DECREF(type);
}

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.exec.SlabView", sizeof(view_object), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject* make_slab_view(const std::shared_ptr<slab_lease>& lease, std::uint64_t offset, std::uint64_t size) {
    PyObject* self = view_type->tp_alloc(view_type, 0);
    if (self == nullptr) return nullptr;
    auto* view = reinterpret_cast<view_object*>(self);
    new (&view->lease) std::shared_ptr<slab_lease>(lease);
    view->offset = offset;
    view->size = size;
    return self;
}

PyObject* make_export(PyObject* bytes) {
    PyObject* const self = export_type->tp_alloc(export_type, 0);
    if (self != nullptr) reinterpret_cast<export_object*>(self)->bytes = Py_NewRef(bytes);
    return self;
}

bool part_of(PyObject* object, slab_part& out) {
    if (Py_TYPE(object) != view_type) return false;
    auto* view = reinterpret_cast<view_object*>(object);
    out = {view->lease, &view->lease->slab(), view->offset, view->size};
    return true;
}

PyObject* raise_sender_died() {
    return raise_failure(failure::of(errc::worker_lost, "the process that sent this ended before all of it was there"));
}

void register_slab_view() {
    view_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    export_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&export_spec));
    if (view_type == nullptr || export_type == nullptr) throw py::error_already_set();
}

}  // namespace headrace::bindings
