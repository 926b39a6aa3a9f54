// Python objects as messages between processes: pickle protocol 5, large buffers beside it in shared memory.
//
// What pickles to less than `large` bytes travels in the message. Otherwise pickle and buffers lie in one slab; buffers
// (NumPy arrays and whatever else exports them) are used there without a copy, as long as somebody looks at them. Objects
// of __main__ go by value, through cloudpickle, because another process has another __main__.
// Threads:  with the GIL, which is released while large buffers are copied.
// Errors:   Python errors: false or null with one set.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/base/mutex.hpp>
#include <headrace/exec/process_message.hpp>
#include <memory>
#include <vector>

namespace headrace::bindings {

inline constexpr std::size_t large = 64 * 1024;

/// The sender's slabs, shared by the threads that pickle.
class slab_source {
public:
    std::shared_ptr<exec::shared_slab> take(std::uint64_t size) {
        const lock_guard hold(m_);
        return slabs_.take(size);
    }

private:
    mutex m_;
    exec::slab_cache slabs_ HEADRACE_GUARDED_BY(m_);
};

/// The copy of a large message into its slab, to be done when the message is on its way: then the receiver reads what is
/// already there. The destructor needs the GIL, and does what was not done.
class late_copy {
public:
    late_copy() = default;
    ~late_copy();
    late_copy(const late_copy&) = delete;
    late_copy& operator=(const late_copy&) = delete;
    bool pending() const noexcept { return slab_ != nullptr; }
    /// Without the GIL.
    void run() noexcept;

private:
    friend bool dump(PyObject* object, slab_source& slabs, exec::message_body& out, late_copy& later);
    struct piece {
        const char* data;
        std::size_t size;
        std::uint64_t offset;
    };
    std::shared_ptr<exec::shared_slab> slab_;
    std::vector<piece> pieces_;
    std::vector<PyObject*> owners_;  // of the pieces
};

/// A body in a slab is complete once `later` has run.
bool dump(PyObject* object, slab_source& slabs, exec::message_body& out, late_copy& later);
/// A new reference. Takes the body's slab over: it is given back when the last view of it has gone.
PyObject* load(exec::message_body&& body);
/// bytes of a received buffer, copied while the sender still writes. A new reference.
PyObject* copy_out(PyObject* buffer);
/// bytes and bytearrays too large for a message, on their own or in a tuple, wrapped so that they pickle as buffers. A new
/// reference, of `object` itself mostly.
PyObject* wrap_large(PyObject* object);

/// Imports what the above needs. Throws Python errors.
void prepare_pickling();
/// headrace.exec.wire, where the Python half lives; imported at first use.
PyObject* wire(const char* name);

}  // namespace headrace::bindings
