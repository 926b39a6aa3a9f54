// A part of a received slab as a Python buffer. While any view of a slab exists the sender leaves it alone.
// Threads:  with the GIL.   Lifetime: the views share a lease; the last one gives the slab back.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/exec/process_message.hpp>
#include <memory>

namespace headrace::bindings {

class slab_lease {
public:
    explicit slab_lease(exec::message_body body) : body_(std::move(body)) {}
    ~slab_lease() { body_.give_back(); }
    slab_lease(const slab_lease&) = delete;
    slab_lease& operator=(const slab_lease&) = delete;
    exec::shared_slab& slab() const noexcept { return *body_.slab; }
    const std::shared_ptr<exec::shared_slab>& shared() const noexcept { return body_.slab; }

private:
    const exec::message_body body_;
};

/// A buffer, writable; who asks for its memory waits until the sender has filled it. Null with an error set.
PyObject* make_slab_view(const std::shared_ptr<slab_lease>& lease, std::uint64_t offset, std::uint64_t size);

/// The memory of bytes or a bytearray as a buffer that says that it is writable, for pickle alone: a read-only one would be
/// wrapped at the other end, which waits until all of it is there. Null with an error set.
PyObject* make_export(PyObject* bytes);

struct slab_part {
    std::shared_ptr<slab_lease> lease;
    exec::shared_slab* slab = nullptr;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};
/// False when `object` is no view.
bool part_of(PyObject* object, slab_part& out);
/// WorkerLost: a part was announced and never came. Null.
PyObject* raise_sender_died();

/// Throws Python errors.
void register_slab_view();

}  // namespace headrace::bindings
