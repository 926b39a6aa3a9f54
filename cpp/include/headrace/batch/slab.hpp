// Small blocks for graph nodes and edges: a few instructions to take one, a few to give it back.
//
// Blocks come in classes of 32 bytes up to 512; each thread keeps a list of free ones per class and trades whole lists
// with a common store. The memory stays with the process (its size is the most that was in use at one time).
// With AddressSanitizer or ThreadSanitizer every block is an allocation of its own, so that they see what they should.
// Threads:  every function from any thread; a block may be given back on another thread than it was taken on.
// Errors:   take() throws std::bad_alloc when there is no memory.
#pragma once

#include <cstddef>

namespace headrace::batch::slab {

/// The largest size that is kept in lists; larger blocks go to operator new.
inline constexpr std::size_t largest = 512;

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
