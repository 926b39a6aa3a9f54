// Items in flight by key: a hash table chained through the items.
// Threads:  pure; one at a time.   Lifetime: borrows its items; the table itself grows and does not shrink.
#pragma once

#include <cstddef>
#include <headrace/batch/item.hpp>
#include <vector>

namespace headrace::batch {

class key_table {
public:
    /// `same(candidate)` tells items of one key from those that only share its hash.
    template <class Same>
    item* find(std::uint64_t key, Same&& same) const {
        if (size_ == 0) return nullptr;
        for (item* it = buckets_[slot(key)]; it != nullptr; it = it->same_bucket_) {
            if (it->key == key && same(*it)) return it;
        }
        return nullptr;
    }
    void insert(item& it) {
        if (size_ >= buckets_.size()) grow();
        auto& bucket = buckets_[slot(it.key)];
        it.same_bucket_ = bucket;
        bucket = &it;
        ++size_;
    }
    void erase(item& it) noexcept {
        for (item** at = &buckets_[slot(it.key)]; *at != nullptr; at = &(*at)->same_bucket_) {
            if (*at != &it) continue;
            *at = it.same_bucket_;
            it.same_bucket_ = nullptr;
            --size_;
            return;
        }
    }
    std::size_t size() const noexcept { return size_; }

private:
    std::size_t slot(std::uint64_t key) const noexcept {
        return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> shift_);
    }
    void grow() {
        std::vector<item*> old(buckets_.empty() ? 16 : buckets_.size() * 2);
        old.swap(buckets_);
        shift_ = 64;
        for (std::size_t n = buckets_.size(); n > 1; n /= 2) --shift_;
        size_ = 0;
        for (item* it : old) {
            while (it != nullptr) {
                item* const rest = it->same_bucket_;
                insert(*it);
                it = rest;
            }
        }
    }

    std::vector<item*> buckets_;  // a power of two
    unsigned shift_ = 64;
    std::size_t size_ = 0;
};

}  // namespace headrace::batch
