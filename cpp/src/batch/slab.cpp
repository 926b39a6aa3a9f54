#include <array>
#include <headrace/base/mutex.hpp>
#include <headrace/batch/slab.hpp>
#include <new>

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
void give(void* block, std::size_t bytes) noexcept {
    ::operator delete(block, bytes);
}

#else

namespace {

constexpr std::size_t grain = 32;
constexpr std::size_t classes = largest / grain;
constexpr std::size_t chunk_bytes = std::size_t{64} * 1024;
constexpr std::size_t keep = 1024;  // free blocks of a class that a thread keeps; twice as many, and half go to the store

struct block {
    block* next;
    block* next_list;  // in the store: the head of the next list
};

// Lists of about `keep` blocks. A trade is one per `keep` blocks, so a lock is cheap enough and simpler than a stack
// of tagged pointers.
class store {
public:
    void put(std::size_t cls, block* list) noexcept HEADRACE_EXCLUDES(m_) {
        lock_guard hold(m_);
        list->next_list = lists_[cls];
        lists_[cls] = list;
    }
    block* get(std::size_t cls) noexcept HEADRACE_EXCLUDES(m_) {
        lock_guard hold(m_);
        block* list = lists_[cls];
        if (list != nullptr) lists_[cls] = list->next_list;
        return list;
    }

private:
    mutex m_;
    std::array<block*, classes> lists_ HEADRACE_GUARDED_BY(m_){};
};

store& common() {
    static store* const the = new store;  // never destroyed: threads give blocks back until the very end
    return *the;
}

struct free_list {
    block* head = nullptr;
    std::size_t count = 0;
};

struct thread_cache {
    std::array<free_list, classes> lists{};

    ~thread_cache() {
        for (std::size_t c = 0; c < classes; ++c) {
            if (lists[c].head != nullptr) common().put(c, lists[c].head);
        }
    }

    void refill(std::size_t c) {
        free_list& list = lists[c];
        if (block* got = common().get(c)) {
            for (list.head = got; got != nullptr; got = got->next) ++list.count;
            return;
        }
        const std::size_t size = (c + 1) * grain;
        const std::size_t n = chunk_bytes / size;
        auto* bytes = static_cast<std::byte*>(::operator new(n * size));
        for (std::size_t i = n; i-- > 0;) list.head = new (bytes + i * size) block{list.head, nullptr};
        list.count = n;
    }

    // The older half goes to the store, the newer stays warm.
    void trim(std::size_t c) noexcept {
        free_list& list = lists[c];
        block* last = list.head;
        for (std::size_t i = 1; i < keep; ++i) last = last->next;
        common().put(c, last->next);
        last->next = nullptr;
        list.count = keep;
    }
};

// initial-exec: one instruction instead of a call, also inside a shared library. The cache is small enough for the space
// that the loader keeps for it.
[[gnu::tls_model("initial-exec")]] thread_local thread_cache cache;

}  // namespace

void* take(std::size_t bytes) {
    if (bytes > largest) return ::operator new(bytes);
    const std::size_t c = (bytes - 1) / grain;
    free_list& list = cache.lists[c];
    if (list.head == nullptr) [[unlikely]] cache.refill(c);
    block* b = list.head;
    list.head = b->next;
    --list.count;
    return b;
}

void give(void* where, std::size_t bytes) noexcept {
    if (bytes > largest) return ::operator delete(where, bytes);
    const std::size_t c = (bytes - 1) / grain;
    free_list& list = cache.lists[c];
    list.head = new (where) block{list.head, nullptr};
    if (++list.count >= 2 * keep) [[unlikely]] cache.trim(c);
}

#endif

}  // namespace headrace::batch::slab
