// Many sleepers with few different durations: a first-in first-out lane per duration and a heap of the lanes.
//
// Ten thousand units that sleep 1 ms are one lane: a push and a pop are a few pointer writes, and only a change of a
// lane's head touches the heap. With all durations different it is an ordinary heap.
// Pure: time is a parameter.
// Threads:  one owner.   Lifetime: a node must not be destroyed while it is queued.   Errors: none.
#pragma once

#include <cstddef>
#include <headrace/base/clock.hpp>
#include <memory>
#include <unordered_map>
#include <vector>

namespace headrace::batch {

struct timer_lane;

/// The base of what can sleep. The links are free for other lists while it does not.
struct timer_node {
    timer_node* next = nullptr;
    timer_node* prev = nullptr;
    ns time{0};                  ///< how long to sleep before it is queued, when to wake while it is
    timer_lane* lane = nullptr;  ///< null when not queued
};

class timer_queue {
public:
    timer_queue();
    ~timer_queue();
    timer_queue(const timer_queue&) = delete;
    timer_queue& operator=(const timer_queue&) = delete;

    /// Queues the node until `now` + `duration`. Nodes of one duration wake in the order in which they were queued.
    void push(timer_node& node, ns duration, ns now);
    /// The node must be queued.
    void remove(timer_node& node) noexcept;
    /// The first node that is due at `now`, no longer queued; null when there is none.
    timer_node* pop(ns now) noexcept;
    /// When the first node is due; ns::max() when nobody sleeps.
    ns next_due() const noexcept;
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

private:
    timer_lane& lane_of(ns duration);
    void unlink(timer_lane& lane, timer_node& node) noexcept;
    void place(std::size_t index, timer_lane* lane) noexcept;
    void sift_up(std::size_t index) noexcept;
    void sift_down(std::size_t index) noexcept;
    void retire(timer_lane& lane) noexcept;

    std::unordered_map<ns::rep, std::unique_ptr<timer_lane>> lanes_;
    std::vector<timer_lane*> heap_;  // lanes that hold nodes, the earliest head first
    timer_lane* last_ = nullptr;     // of the last push: runs of equal durations skip the map
    std::size_t size_ = 0;
};

}  // namespace headrace::batch
