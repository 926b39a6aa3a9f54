// First in, first out; any task can be taken out of the middle; remembers the earliest deadline.
// Threads:  pure; one at a time.   Lifetime: borrows its tasks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <headrace/exec/task.hpp>

namespace headrace::exec {

class task_queue {
public:
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    bool holds(const task& t) const noexcept { return t.queue_ == this; }
    /// No queued task has an earlier one; it may be the deadline of a task that has left.
    ns earliest_deadline() const noexcept { return earliest_; }

    void push(task& t, ns deadline) noexcept {
        t.deadline_ = deadline;
        t.queue_ = this;
        t.previous_ = last_;
        t.next = nullptr;
        (last_ != nullptr ? last_->next : first_) = &t;
        last_ = &t;
        ++size_;
        earliest_ = std::min(earliest_, deadline);
    }

    task* pop() noexcept {
        task* t = first_;
        if (t != nullptr) remove(*t);
        return t;
    }

    void remove(task& t) noexcept {
        (t.previous_ != nullptr ? t.previous_->next : first_) = t.next;
        (t.next != nullptr ? t.next->previous_ : last_) = t.previous_;
        t.next = nullptr;
        t.queue_ = nullptr;
        --size_;
        if (size_ == 0) earliest_ = ns::max();
    }

    /// All tasks whose deadline has passed, as a chain; earliest_deadline() is exact afterwards.
    task* take_expired(ns now) noexcept {
        task* expired = nullptr;
        task** end = &expired;
        ns earliest = ns::max();
        for (task *t = first_, *after = nullptr; t != nullptr; t = after) {
            after = t->next;
            if (t->deadline_ > now) {
                earliest = std::min(earliest, t->deadline_);
                continue;
            }
            remove(*t);
            *end = t;
            end = &t->next;
        }
        earliest_ = earliest;
        return expired;
    }

    static ns deadline(const task& t) noexcept { return t.deadline_; }

private:
    task* first_ = nullptr;
    task* last_ = nullptr;
    std::size_t size_ = 0;
    ns earliest_ = ns::max();
};

}  // namespace headrace::exec
