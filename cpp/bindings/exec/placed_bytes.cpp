#include "placed_bytes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace py = pybind11;

namespace headrace::bindings {
namespace {

struct placed {
    char* object;
    slab_part part;
};

PyMemAllocatorEx below;  // the allocator that was there
bool installed = false;
std::vector<placed>* objects;  // few; never destroyed, objects may be freed at the very end
constexpr std::size_t header = offsetof(PyBytesObject, ob_sval);
static_assert(header <= exec::shared_slab::part_alignment && header % alignof(PyBytesObject) == 0);

std::vector<placed>::iterator find(const void* object) {
    return std::ranges::find(*objects, static_cast<const char*>(object), &placed::object);
}

void* hook_malloc(void*, std::size_t n) {
    return below.malloc(below.ctx, n);
}
void* hook_calloc(void*, std::size_t n, std::size_t size) {
    return below.calloc(below.ctx, n, size);
}
void hook_free(void*, void* p) {
    if (!objects->empty()) {
        if (const auto found = find(p); found != objects->end()) {
            objects->erase(found);  // with its lease
            return;
        }
    }
    below.free(below.ctx, p);
}
void* hook_realloc(void*, void* p, std::size_t n) {
    if (p == nullptr || objects->empty()) return below.realloc(below.ctx, p, n);
    const auto found = find(p);
    if (found == objects->end()) return below.realloc(below.ctx, p, n);
    void* const moved = below.malloc(below.ctx, n);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, p, std::min<std::size_t>(n, header + found->part.size + 1));
    objects->erase(found);
    return moved;
}

bool somebody_traces() {
    return py::module_::import("tracemalloc").attr("is_tracing")().cast<bool>();
}

}  // namespace

void place_received_bytes() {
#ifndef Py_GIL_DISABLED
    if (installed || somebody_traces()) return;
    objects = new std::vector<placed>;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &below);
    PyMemAllocatorEx hook{nullptr, hook_malloc, hook_calloc, hook_realloc, hook_free};
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &hook);
    installed = true;
#endif
}

// Whoever came later and is before us now gives way again; then nothing of ours may be there that only we can free.
bool bytes_can_be_placed() noexcept {
    constexpr std::size_t most = 16;  // every free looks through them
    if (!installed || objects->size() >= most) return false;
    PyMemAllocatorEx now;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &now);
    return now.free == hook_free;
}

PyObject* place_bytes(const slab_part& part) {
    char* const data = part.slab->data() + part.offset;
    auto* const object = reinterpret_cast<PyVarObject*>(data - header);
    std::memset(data - header, 0xFF, header);  // the hash: not computed yet
    data[part.size] = 0;
    objects->push_back({data - header, part});
    return reinterpret_cast<PyObject*>(PyObject_InitVar(object, &PyBytes_Type, static_cast<Py_ssize_t>(part.size)));
}

bool find_placed(const void* data, std::uint64_t size, slab_part& out) {
    if (!installed) return false;
    const auto found = find(static_cast<const char*>(data) - header);
    if (found == objects->end() || found->part.size != size) return false;
    out = found->part;
    return true;
}

}  // namespace headrace::bindings
