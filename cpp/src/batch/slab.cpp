#include <atomic>
#include <cstdint>
#include <headrace/base/mutex.hpp>
#include <headrace/batch/slab.hpp>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEADRACE_PLAIN_BLOCKS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEADRACE_PLAIN_BLOCKS
#endif
#endif

namespace headrace::batch::slab {

#ifdef HEADRACE_PLAIN_BLOCKS

void* take(std::size_t bytes) {
    return ::operator new(bytes);
}
void give(void* block, std::size_t) noexcept {
    ::operator delete(block);
}

#else

namespace {

constexpr std::size_t grain = 8;
// While a thread cuts from a chunk, the chunk counts this many blocks more than are out.
constexpr std::uint32_t bias = 1U << 30;

struct alignas(64) chunk {
    std::atomic<std::uint32_t> live{bias};
    chunk* next = nullptr;  // in the store
};

class store {
public:
    chunk* get() HEADRACE_EXCLUDES(m_) {
        {
            lock_guard hold(m_);
            if (chunk* c = first_) {
                first_ = c->next;
                --count_;
                return new (c) chunk;
            }
        }
        return new (::operator new (chunk_bytes, std::align_val_t{chunk_bytes})) chunk;
    }
    void put(chunk* c) noexcept HEADRACE_EXCLUDES(m_) {
        {
            lock_guard hold(m_);
            if (count_ < spare_chunks) {
                c->next = std::exchange(first_, c);
                ++count_;
                return;
            }
        }
        ::operator delete (c, chunk_bytes, std::align_val_t{chunk_bytes});
    }

private:
    mutex m_;
    chunk* first_ HEADRACE_GUARDED_BY(m_) = nullptr;
    std::size_t count_ HEADRACE_GUARDED_BY(m_) = 0;
};

store& common() {
    static store* const the = new store;  // never destroyed: threads give blocks back until the very end
    return *the;
}

void drop(chunk* c, std::uint32_t blocks) noexcept {
    if (c->live.fetch_sub(blocks, std::memory_order_acq_rel) == blocks) common().put(c);
}

struct cutter {
    std::byte* at = nullptr;
    std::byte* end = nullptr;
    chunk* from = nullptr;
    std::uint32_t taken = 0;
    // Blocks of one chunk that came back to this thread and are not yet counted out: they come in runs.
    chunk* back = nullptr;
    std::uint32_t returned = 0;

    ~cutter() {
        count_out();
        finish();
    }
    void count_out() noexcept {
        if (back != nullptr) drop(std::exchange(back, nullptr), std::exchange(returned, 0));
    }
    void finish() noexcept {
        if (from != nullptr) drop(std::exchange(from, nullptr), bias - taken);
        at = end = nullptr;
    }
    void refill() {
        finish();
        from = common().get();
        taken = 0;
        at = reinterpret_cast<std::byte*>(from) + sizeof(chunk);
        end = reinterpret_cast<std::byte*>(from) + chunk_bytes;
    }
};

// initial-exec: one instruction instead of a call, also inside a shared library. It is small enough for the space that the
// loader keeps for such variables.
[[gnu::tls_model("initial-exec")]] thread_local cutter here;

}  // namespace

void* take(std::size_t bytes) {
    if (bytes > largest) return ::operator new(bytes);
    bytes = (bytes + grain - 1) & ~(grain - 1);
    if (static_cast<std::size_t>(here.end - here.at) < bytes) [[unlikely]]
        here.refill();
    ++here.taken;
    return std::exchange(here.at, here.at + bytes);
}

void give(void* block, std::size_t bytes) noexcept {
    if (bytes > largest) return ::operator delete(block);
    auto* const c = reinterpret_cast<chunk*>(reinterpret_cast<std::uintptr_t>(block) & ~(chunk_bytes - 1));
    if (c != here.back) {
        here.count_out();
        here.back = c;
    }
    ++here.returned;
}

#endif

}  // namespace headrace::batch::slab
