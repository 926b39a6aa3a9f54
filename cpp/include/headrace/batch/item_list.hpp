// A doubly linked list through its items.
// Threads:  pure; one at a time.   Lifetime: borrows its items.
#pragma once

#include <headrace/batch/item.hpp>

namespace headrace::batch {

class item_list {
public:
    bool empty() const noexcept { return first_ == nullptr; }
    item* front() const noexcept { return first_; }
    static item* after(const item& it) noexcept { return it.next; }

    void push_back(item& it) noexcept {
        it.next = nullptr;
        it.previous_ = last_;
        (last_ != nullptr ? last_->next : first_) = &it;
        last_ = &it;
    }
    void push_front(item& it) noexcept {
        it.next = first_;
        it.previous_ = nullptr;
        (first_ != nullptr ? first_->previous_ : last_) = &it;
        first_ = &it;
    }
    void remove(item& it) noexcept {
        (it.previous_ != nullptr ? it.previous_->next : first_) = it.next;
        (it.next != nullptr ? it.next->previous_ : last_) = it.previous_;
        it.next = it.previous_ = nullptr;
    }
    /// `instead` takes the place of `it`.
    void replace(item& it, item& instead) noexcept {
        instead.next = it.next;
        instead.previous_ = it.previous_;
        (it.previous_ != nullptr ? it.previous_->next : first_) = &instead;
        (it.next != nullptr ? it.next->previous_ : last_) = &instead;
        it.next = it.previous_ = nullptr;
    }

private:
    item* first_ = nullptr;
    item* last_ = nullptr;
};

}  // namespace headrace::batch
