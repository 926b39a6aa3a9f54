// Calls that wait for a worker: first in, first out; any can leave from the middle; those that were sent too early come
// back to the front. Remembers the earliest deadline.
// Threads:  pure; one at a time.   Lifetime: borrows its tasks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <headrace/exec/process_task.hpp>

namespace headrace::exec {

class process_queue {
public:
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    /// No queued task has an earlier one; it may be the deadline of a task that has left.
    ns earliest_deadline() const noexcept { return earliest_; }
    static bool holds(const process_task& t) noexcept { return t.queued_; }
    process_task* first() const noexcept { return first_; }
    static process_task* after(const process_task& t) noexcept { return t.next_; }

    void push_back(process_task& t) noexcept { insert(t, last_, nullptr); }
    void push_front(process_task& t) noexcept { insert(t, nullptr, first_); }

    process_task* pop() noexcept {
        process_task* const t = first_;
        if (t != nullptr) remove(*t);
        return t;
    }

    void remove(process_task& t) noexcept {
        (t.previous_ != nullptr ? t.previous_->next_ : first_) = t.next_;
        (t.next_ != nullptr ? t.next_->previous_ : last_) = t.previous_;
        t.next_ = t.previous_ = nullptr;
        t.queued_ = false;
        if (--size_ == 0) earliest_ = ns::max();
    }

    /// Calls expire(task) for each whose deadline has passed, after taking it out.
    template <class F>
    void take_expired(ns now, F&& expire) {
        ns earliest = ns::max();
        for (process_task *t = first_, *after = nullptr; t != nullptr; t = after) {
            after = t->next_;
            if (t->deadline > now) {
                earliest = std::min(earliest, t->deadline);
                continue;
            }
            remove(*t);
            expire(*t);
        }
        earliest_ = earliest;
    }

private:
    void insert(process_task& t, process_task* before, process_task* after) noexcept {
        t.previous_ = before;
        t.next_ = after;
        (before != nullptr ? before->next_ : first_) = &t;
        (after != nullptr ? after->previous_ : last_) = &t;
        t.queued_ = true;
        ++size_;
        earliest_ = std::min(earliest_, t.deadline);
    }

    process_task* first_ = nullptr;
    process_task* last_ = nullptr;
    std::size_t size_ = 0;
    ns earliest_ = ns::max();
};

}  // namespace headrace::exec
