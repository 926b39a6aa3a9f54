// Being told once that something is so, where blocking until it is so is no option: an event loop's way of waiting.
//
// Threads:  `notices` is guarded by its owner's lock; tell() is called without it.
// Lifetime: a notice lives until told() was called, exactly once; it may delete itself there.
// Errors:   none; what became of it is asked of the owner.
#pragma once

#include <utility>

namespace headrace {

class notice {
public:
    virtual void told() noexcept = 0;
    notice* next = nullptr;

protected:
    ~notice() = default;
};

/// Those who wait for one thing, in the order in which they came.
class notices {
public:
    notices() = default;
    notices(notices&& other) noexcept
        : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
    notices& operator=(notices&&) = delete;

    bool empty() const noexcept { return first_ == nullptr; }
    void add(notice& n) noexcept {
        n.next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = &n;
        last_ = &n;
    }
    /// Takes over whom `other` has.
    void take(notices& other) noexcept {
        if (other.first_ == nullptr) return;
        (first_ == nullptr ? first_ : last_->next) = other.first_;
        last_ = std::exchange(other.last_, nullptr);
        other.first_ = nullptr;
    }
    /// Without the owner's lock.
    void tell() noexcept {
        for (auto* n = std::exchange(first_, nullptr); n != nullptr;) std::exchange(n, n->next)->told();
        last_ = nullptr;
    }

private:
    notice* first_ = nullptr;
    notice* last_ = nullptr;
};

}  // namespace headrace
