// Memory for nodes of one size that are made in one thread and freed in another: without it, malloc's locks show.
//
// Each thread keeps some free nodes; whole magazines of them move between threads through a bounded depot.
// Threads:  every function from any thread.   Lifetime: threads give back what they keep when they end.
// Errors:   take() throws std::bad_alloc as new does. Address sanitizer sees every allocation: nothing is kept then.
#pragma once

#include <cstddef>
#include <headrace/base/mutex.hpp>
#include <new>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define HEADRACE_KEEPS_NODES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEADRACE_KEEPS_NODES 0
#endif
#endif
#ifndef HEADRACE_KEEPS_NODES
#define HEADRACE_KEEPS_NODES 1
#endif

namespace headrace::batch {

template <std::size_t Size>
class node_cache {
public:
    static void* take() {
        local& l = mine();
        if (l.first == nullptr && HEADRACE_KEEPS_NODES != 0) l.refill();
        if (l.first == nullptr) return ::operator new(Size);
        --l.count;
        return std::exchange(l.first, l.first->next);
    }
    static void give(void* memory) noexcept {
        local& l = mine();
        if (HEADRACE_KEEPS_NODES == 0 || l.ended) return ::operator delete(memory);
        l.first = ::new (memory) node{l.first};
        if (++l.count >= 2 * magazine) l.empty_half();
    }

private:
    static constexpr std::size_t magazine = 128;      // nodes that move together
    static constexpr std::size_t depot_limit = 1024;  // magazines

    struct node {
        node* next;
    };
    static_assert(Size >= sizeof(node));

    static void free_all(node* first) noexcept {
        while (first != nullptr) ::operator delete(std::exchange(first, first->next));
    }

    struct depot {
        ~depot() {
            for (node* each : full) free_all(each);
        }
        mutex m;
        std::vector<node*> full HEADRACE_GUARDED_BY(m);
    };
    // Never destroyed: threads may end after it would be.
    static depot& shared() {
        static depot* const instance = new depot;
        return *instance;
    }

    struct local {
        node* first = nullptr;
        std::size_t count = 0;
        bool ended = false;

        ~local() {
            ended = true;
            free_all(std::exchange(first, nullptr));
        }
        void refill() {
            depot& from = shared();
            const lock_guard hold(from.m);
            if (from.full.empty()) return;
            first = from.full.back();
            count = magazine;
            from.full.pop_back();
        }
        void empty_half() noexcept {
            node* last = first;
            for (std::size_t i = 1; i < magazine; ++i) last = last->next;
            node* const out = std::exchange(first, std::exchange(last->next, nullptr));
            count -= magazine;
            depot& to = shared();
            {
                const lock_guard hold(to.m);
                if (to.full.size() < depot_limit) {
                    to.full.push_back(out);
                    return;
                }
            }
            free_all(out);
        }
    };
    static local& mine() noexcept {
        static thread_local local instance;
        return instance;
    }
};

}  // namespace headrace::batch
