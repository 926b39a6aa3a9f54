// Results that are kept: bounded by count, least recently used goes first, with an optional age.
// Threads:  pure; one at a time.   Lifetime: shares its entries: who looked one up may keep it.
#pragma once

#include <cstddef>
#include <headrace/batch/item.hpp>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

namespace headrace::batch {

/// An item that nobody waits for: it holds a key and a result.
using kept_result = std::shared_ptr<const item>;

class result_cache {
public:
    void configure(std::size_t size, ns ttl) {
        max_ = size;
        ttl_ = ttl;
        trim();
    }
    std::size_t capacity() const noexcept { return max_; }
    std::size_t size() const noexcept { return by_use_.size(); }

    /// `same(kept)` tells this key from others with its hash.
    template <class Same>
    kept_result find(std::uint64_t key, ns now, Same&& same) {
        const auto at = by_key_.find(key);
        if (at == by_key_.end() || !same(*at->second->result)) return nullptr;
        if (at->second->expires <= now) {
            erase(at);
            return nullptr;
        }
        by_use_.splice(by_use_.begin(), by_use_, at->second);
        return at->second->result;
    }
    void insert(kept_result result, ns now) {
        if (max_ == 0) return;
        if (const auto at = by_key_.find(result->key); at != by_key_.end()) erase(at);
        const std::uint64_t key = result->key;
        by_use_.push_front({std::move(result), ttl_ > ns{0} ? now + ttl_ : ns::max()});
        by_key_.emplace(key, by_use_.begin());
        trim();
    }
    void erase(std::uint64_t key) {
        if (const auto at = by_key_.find(key); at != by_key_.end()) erase(at);
    }
    /// The entries, for the caller to drop where no lock is held.
    auto clear() {
        by_key_.clear();
        return std::exchange(by_use_, {});
    }

private:
    struct entry {
        kept_result result;
        ns expires;
    };
    using entries = std::list<entry>;

    void erase(std::unordered_map<std::uint64_t, entries::iterator>::iterator at) {
        by_use_.erase(at->second);
        by_key_.erase(at);
    }
    void trim() {
        while (by_use_.size() > max_) erase(by_use_.back().result->key);
    }

    std::size_t max_ = 0;
    ns ttl_{0};
    entries by_use_;
    std::unordered_map<std::uint64_t, entries::iterator> by_key_;
};

}  // namespace headrace::batch
