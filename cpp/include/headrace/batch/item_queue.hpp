// Waiting items: by priority, and first come, first served within one.
// Threads:  pure; one at a time.   Lifetime: borrows its items. Priorities once used keep a small place.
#pragma once

#include <cstddef>
#include <functional>
#include <headrace/batch/item_list.hpp>
#include <map>

namespace headrace::batch {

class item_queue {
public:
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::size_t held() const noexcept { return held_; }
    std::uint64_t weight() const noexcept { return weight_; }

    void push(item& it) {
        item_list& level = level_of(it.priority);
        level.push_back(it);
        it.level_ = &level;
        it.place_ = item::place::queue;
        it.counts_held_ = it.held;
        ++size_;
        held_ += it.held ? 1 : 0;
        weight_ += it.weight;
    }

    /// `heir` takes the place that `it`, which was in front and has been removed, had.
    void push_front(item& heir, const item& it) noexcept {
        it.level_->push_front(heir);
        heir.level_ = it.level_;
        heir.place_ = item::place::queue;
        heir.counts_held_ = it.counts_held_;
        ++size_;
        held_ += heir.counts_held_ ? 1 : 0;
        weight_ += heir.weight;
    }

    /// The one that goes next, or null.
    item* front() const noexcept {
        for (const auto& [priority, level] : levels_) {
            if (!level.empty()) return level.front();
        }
        return nullptr;
    }

    /// The longest waiting of the lowest priority, or null.
    item* least() const noexcept {
        for (auto at = levels_.rbegin(); at != levels_.rend(); ++at) {
            if (!at->second.empty()) return at->second.front();
        }
        return nullptr;
    }

    /// When the one that has waited longest came; ns::max() when empty.
    ns oldest() const noexcept {
        ns oldest = ns::max();
        for (const auto& [priority, level] : levels_) {
            if (!level.empty()) oldest = std::min(oldest, level.front()->arrived_);
        }
        return oldest;
    }

    void remove(item& it) noexcept {
        it.level_->remove(it);
        it.place_ = item::place::nowhere;
        --size_;
        held_ -= it.counts_held_ ? 1 : 0;
        weight_ -= it.weight;
    }

    /// `heir` takes the place of `it`, which leaves.
    void replace(item& it, item& heir) noexcept {
        it.level_->replace(it, heir);
        heir.level_ = it.level_;
        heir.place_ = item::place::queue;
        heir.counts_held_ = it.counts_held_;
        it.place_ = item::place::nowhere;
        weight_ += heir.weight;
        weight_ -= it.weight;
    }

    /// A waiter of the same key asks for more: `it` goes as early as it, and is held only when it is.
    void join(item& it, const item& follower) {
        if (it.counts_held_ && !follower.held) {
            it.counts_held_ = false;
            --held_;
        }
        item_list& level = level_of(follower.priority);
        if (&level == it.level_ || !is_higher(level, *it.level_)) return;
        it.level_->remove(it);
        level.push_back(it);
        it.level_ = &level;
    }

    /// Calls f(item) for each; f may remove the item it is given.
    template <class F>
    void for_each(F&& f) {
        for (auto& [priority, level] : levels_) {
            for (item *it = level.front(), *rest = nullptr; it != nullptr; it = rest) {
                rest = item_list::after(*it);
                f(*it);
            }
        }
    }

private:
    using levels = std::map<std::int16_t, item_list, std::greater<>>;

    item_list& level_of(std::int16_t priority) {
        if (recent_ == nullptr || recent_priority_ != priority) {
            recent_ = &levels_[priority];
            recent_priority_ = priority;
        }
        return *recent_;
    }
    bool is_higher(const item_list& a, const item_list& b) const noexcept {
        for (const auto& [priority, level] : levels_) {
            if (&level == &a) return true;
            if (&level == &b) return false;
        }
        return false;
    }

    levels levels_;
    item_list* recent_ = nullptr;
    std::int16_t recent_priority_ = 0;
    std::size_t size_ = 0;
    std::size_t held_ = 0;
    std::uint64_t weight_ = 0;
};

}  // namespace headrace::batch
