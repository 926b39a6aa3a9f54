#include "pickling.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "placed_bytes.hpp"
#include "slab_view.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

constexpr std::size_t smallest_buffer = 32 * 1024;  // smaller ones are copied into the pickle
constexpr std::size_t copy_step = 256 * 1024;       // then the receiver may go on
constexpr std::size_t slow_copy = 1 << 20;          // bytes from which others may run meanwhile

PyObject *pickle_dumps, *pickle_loads, *collector, *dump_names, *load_names, *protocol;
thread_local std::vector<PyObject*>* collecting = nullptr;  // PickleBuffers that stay out of the pickle

// buffer_callback: false keeps a buffer out of the pickle.
PyObject* collect(PyObject*, PyObject* buffer) {
    const Py_buffer* view = PyPickleBuffer_GetBuffer(buffer);
    if (view == nullptr) return nullptr;
    if (static_cast<std::size_t>(view->len) < smallest_buffer || collecting == nullptr) Py_RETURN_TRUE;
    collecting->push_back(Py_NewRef(buffer));
    Py_RETURN_FALSE;
}
PyMethodDef collect_def = {"collect", collect, METH_O, nullptr};

class collected {
public:
    collected() : before_(std::exchange(collecting, &buffers)) {}
    ~collected() {
        collecting = before_;
        clear();
    }
    collected(const collected&) = delete;
    collected& operator=(const collected&) = delete;
    void clear() {
        for (PyObject* b : buffers) Py_DECREF(b);
        buffers.clear();
    }
    std::vector<PyObject*> buffers;

private:
    std::vector<PyObject*>* const before_;
};

PyObject* dumps_with(PyObject* dumps, PyObject* object) {
    PyObject* const arguments[] = {object, protocol, collector};
    return PyObject_Vectorcall(dumps, arguments, 1, dump_names);
}

bool mentions_main(PyObject* pickled) {
    const std::string_view bytes(PyBytes_AS_STRING(pickled), static_cast<std::size_t>(PyBytes_GET_SIZE(pickled)));
    return bytes.find("__main__") != std::string_view::npos;
}

// By reference where that will do, else by value.
PyObject* pickled(PyObject* object, collected& out) {
    PyObject* plain = dumps_with(pickle_dumps, object);
    if (plain != nullptr && !mentions_main(plain)) return plain;
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    out.clear();
    PyObject* const by_value = wire("dumps_by_value");
    PyObject* const whole = by_value == nullptr ? nullptr : dumps_with(by_value, object);
    if (whole == nullptr && type != nullptr) {  // what pickle says is plainer
        PyErr_Clear();
        PyErr_Restore(type, value, trace);
        type = value = trace = nullptr;
    }
    Py_XDECREF(plain);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return whole;
}

PyObject* loads(PyObject* bytes, PyObject* buffers) {
    PyObject* const arguments[] = {bytes, buffers};
    return PyObject_Vectorcall(pickle_loads, arguments, 1, buffers == nullptr ? nullptr : load_names);
}

PyObject* load_from_slab(exec::message_body&& body) {
    std::uint64_t total = 0;
    const auto sizes = body.parts;
    const auto offsets = body.borrowed ? std::vector{body.borrowed_offset} : exec::part_offsets(sizes, total);
    const bool borrowed = body.borrowed;
    PyObject* first =
        borrowed ? PyBytes_FromStringAndSize(body.bytes.data(), static_cast<Py_ssize_t>(body.bytes.size())) : nullptr;
    const auto lease = std::make_shared<slab_lease>(std::move(body));  // the views' from now on
    if (!borrowed) first = make_slab_view(lease, offsets[0], sizes[0]);
    PyObject* buffers = PyList_New(0);
    for (std::size_t i = borrowed ? 0 : 1; buffers != nullptr && i < sizes.size(); ++i) {
        PyObject* const view = make_slab_view(lease, offsets[i], sizes[i]);
        if (view == nullptr || PyList_Append(buffers, view) != 0) Py_CLEAR(buffers);
        Py_XDECREF(view);
    }
    PyObject* const object = first == nullptr || buffers == nullptr ? nullptr : loads(first, buffers);
    Py_XDECREF(first);
    Py_XDECREF(buffers);
    return object;
}

// The one buffer of an answer is bytes that came with a request and lie where they were sent: they need not be copied.
bool borrow(PyObject* text, const std::vector<PyObject*>& buffers, exec::message_body& out) {
    if (buffers.size() != 1 || static_cast<std::size_t>(PyBytes_GET_SIZE(text)) >= large) return false;
    const Py_buffer* view = PyPickleBuffer_GetBuffer(buffers[0]);
    slab_part part;
    if (!find_placed(view->buf, static_cast<std::uint64_t>(view->len), part)) return false;
    part.slab->lend();
    out.slab = part.lease->shared();
    out.borrowed = true;
    out.borrowed_offset = part.offset;
    out.parts = {part.size};
    out.bytes.assign(PyBytes_AS_STRING(text), static_cast<std::size_t>(PyBytes_GET_SIZE(text)));
    return true;
}

bool is_large(PyObject* o) {
    return (PyBytes_CheckExact(o) && static_cast<std::size_t>(PyBytes_GET_SIZE(o)) >= large) ||
           (PyByteArray_CheckExact(o) && static_cast<std::size_t>(PyByteArray_GET_SIZE(o)) >= large);
}

PyObject* wrapped(PyObject* o) {
    if (!is_large(o)) return Py_NewRef(o);
    PyObject* const wrapper = wire("Large");
    return wrapper == nullptr ? nullptr : PyObject_CallOneArg(wrapper, o);
}

}  // namespace

late_copy::~late_copy() {
    run();
    for (PyObject* o : owners_) Py_DECREF(o);
}

void late_copy::run() noexcept {
    if (slab_ == nullptr) return;
    for (const auto& p : pieces_) {
        for (std::size_t at = 0; at < p.size; at += copy_step) {
            const std::size_t n = std::min(copy_step, p.size - at);
            std::memcpy(slab_->data() + p.offset + at, p.data + at, n);
            slab_->fill_to(p.offset + at + n);
        }
    }
    slab_->fill_all();
    slab_.reset();
}

bool dump(PyObject* object, slab_source& slabs, exec::message_body& out, late_copy& later) {
    collected beside;
    PyObject* const text = pickled(object, beside);
    if (text == nullptr) return false;
    const auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(text));
    if (beside.buffers.empty() && size < large) {
        out.bytes.assign(PyBytes_AS_STRING(text), size);
        Py_DECREF(text);
        return true;
    }
    if (borrow(text, beside.buffers, out)) {
        Py_DECREF(text);
        return true;
    }
    later.owners_.push_back(text);
    later.pieces_.push_back({PyBytes_AS_STRING(text), size, 0});
    for (PyObject* b : std::exchange(beside.buffers, {})) {
        const Py_buffer* view = PyPickleBuffer_GetBuffer(b);
        later.owners_.push_back(b);
        later.pieces_.push_back({static_cast<const char*>(view->buf), static_cast<std::size_t>(view->len), 0});
    }
    for (const auto& p : later.pieces_) out.parts.push_back(p.size);
    std::uint64_t total = 0;
    const auto offsets = exec::part_offsets(out.parts, total);
    for (std::size_t i = 0; i < offsets.size(); ++i) later.pieces_[i].offset = offsets[i];
    {
        const py::gil_scoped_release nogil;
        later.slab_ = slabs.take(total);
    }
    out.slab = later.slab_;
    if (out.slab == nullptr) {
        PyErr_NoMemory();
        return false;
    }
    if (total < slow_copy) later.run();
    return true;
}

PyObject* load(exec::message_body&& body) {
    if (body.slab) return load_from_slab(std::move(body));
    PyObject* const view =
        PyMemoryView_FromMemory(body.bytes.data(), static_cast<Py_ssize_t>(body.bytes.size()), PyBUF_READ);
    PyObject* const object = view == nullptr ? nullptr : loads(view, nullptr);
    Py_XDECREF(view);
    return object;
}

PyObject* copy_out(PyObject* buffer) {
    slab_part part;
    if (!part_of(buffer, part)) return PyBytes_FromObject(buffer);
    if (bytes_can_be_placed()) {
        bool filled = part.slab->filled() >= part.offset + part.size;
        if (!filled) {
            const py::gil_scoped_release nogil;
            filled = part.slab->wait_filled(part.offset + part.size);
        }
        return filled ? place_bytes(part) : raise_sender_died();
    }
    PyObject* const bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(part.size));
    if (bytes == nullptr) return nullptr;
    char* const to = PyBytes_AS_STRING(bytes);
    bool good = true;
    {
        const py::gil_scoped_release nogil;
        for (std::uint64_t at = 0; good && at < part.size; at += copy_step) {
            const std::uint64_t n = std::min<std::uint64_t>(copy_step, part.size - at);
            good = part.slab->wait_filled(part.offset + at + n);
            if (good) std::memcpy(to + at, part.slab->data() + part.offset + at, n);
        }
    }
    if (good) return bytes;
    Py_DECREF(bytes);
    return raise_sender_died();
}

PyObject* wrap_large(PyObject* object) {
    if (!PyTuple_CheckExact(object)) return wrapped(object);
    const Py_ssize_t n = PyTuple_GET_SIZE(object);
    bool any = false;
    for (Py_ssize_t i = 0; i < n && !any; ++i) any = is_large(PyTuple_GET_ITEM(object, i));
    if (!any) return Py_NewRef(object);
    PyObject* copy = PyTuple_New(n);
    for (Py_ssize_t i = 0; copy != nullptr && i < n; ++i) {
        PyObject* const item = wrapped(PyTuple_GET_ITEM(object, i));
        if (item == nullptr) {
            Py_CLEAR(copy);
        } else {
            PyTuple_SET_ITEM(copy, i, item);
        }
    }
    return copy;
}

PyObject* wire(const char* name) {
    static PyObject* module = nullptr;  // with the GIL; two imports give the same module
    if (module == nullptr) module = PyImport_ImportModule("headrace.exec.wire");
    if (module == nullptr) return nullptr;
    PyObject* const found = PyObject_GetAttrString(module, name);
    Py_XDECREF(found);  // the module keeps it
    return found;
}

void prepare_pickling() {
    const auto pickle = py::module_::import("pickle");
    pickle_dumps = pickle.attr("dumps").cast<py::object>().release().ptr();
    pickle_loads = pickle.attr("loads").cast<py::object>().release().ptr();
    collector = PyCFunction_New(&collect_def, nullptr);
    dump_names = py::make_tuple("protocol", "buffer_callback").release().ptr();
    load_names = py::make_tuple("buffers").release().ptr();
    protocol = PyLong_FromLong(5);
    if (collector == nullptr || protocol == nullptr) throw py::error_already_set();
    register_slab_view();
}

}  // namespace headrace::bindings
