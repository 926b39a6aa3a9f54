// Memory for graph nodes and edges: blocks one after the other in chunks, so that what is made together lies together.
//
// A graph of ten thousand units is larger than the fastest caches; walking it in the order of its making then runs at the
// speed of streaming memory instead of one miss per pointer. Each thread cuts blocks off a chunk of its own. A chunk counts
// its blocks and is used again as a whole when the last one was given back, so a block that lives long keeps its chunk.
// With AddressSanitizer or ThreadSanitizer every block is an allocation of its own, so that they see what they should.
// Threads:  every function from any thread; a block may be given back on another thread than it was taken on.
// Errors:   take() throws std::bad_alloc when there is no memory.
#pragma once

#include <cstddef>

namespace headrace::batch::slab {

inline constexpr std::size_t chunk_bytes = std::size_t{16} * 1024;
/// Larger blocks go to operator new.
inline constexpr std::size_t largest = 1024;
/// Free chunks beyond this many go back to the system.
inline constexpr std::size_t spare_chunks = 1024;

void* take(std::size_t bytes);
/// `bytes` as it was taken.
void give(void* block, std::size_t bytes) noexcept;

/// A base class for objects that live in slabs, also through `delete` of a base with a virtual destructor.
struct allocated {
    static void* operator new(std::size_t bytes) { return take(bytes); }
    static void* operator new(std::size_t, void* place) noexcept { return place; }
    static void operator delete(void* block, std::size_t bytes) noexcept { give(block, bytes); }
};

}  // namespace headrace::batch::slab
