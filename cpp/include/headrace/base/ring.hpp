// A growing circular buffer: what std::deque is for, without its small blocks. Elements are reused in place.
// Threads:  pure; one owner.   Lifetime: references die when the ring grows.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace headrace {

template <class T>
class ring {
public:
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    T& operator[](std::size_t i) noexcept { return items_[(head_ + i) & (items_.size() - 1)]; }
    const T& operator[](std::size_t i) const noexcept { return items_[(head_ + i) & (items_.size() - 1)]; }
    T& front() noexcept { return items_[head_]; }

    /// A new last element holding whatever its place held before: assign all of it.
    T& push_back() {
        if (size_ == items_.size()) grow();
        return (*this)[size_++];
    }
    void pop_front() noexcept {
        head_ = (head_ + 1) & (items_.size() - 1);
        --size_;
    }

private:
    void grow() {
        std::vector<T> larger(items_.empty() ? 16 : items_.size() * 2);
        for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
        items_ = std::move(larger);
        head_ = 0;
    }

    std::vector<T> items_;  // a power of two
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace headrace
