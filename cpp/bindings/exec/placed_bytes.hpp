// bytes objects that lie in a received slab, header and all, instead of being copied out of it.
//
// Only in worker processes, whose interpreter is ours from its start: a hook before the allocator of objects tells memory of
// slabs from its own when such an object is freed. It is left out where somebody else watches allocations (tracemalloc), and
// without a GIL; then bytes are copied.
// Threads:  with the GIL.   Lifetime: an object keeps the lease of its slab.
#pragma once

#include <pybind11/pybind11.h>

#include "slab_view.hpp"

namespace headrace::bindings {

/// From now on; once, before user code runs.
void place_received_bytes();
bool bytes_can_be_placed() noexcept;
/// A new reference to a bytes object that is the part: what lies before and behind it (part_room) is overwritten.
PyObject* place_bytes(const slab_part& part);
/// Whether the memory is that of a placed object, whole.
bool find_placed(const void* data, std::uint64_t size, slab_part& out);

}  // namespace headrace::bindings
