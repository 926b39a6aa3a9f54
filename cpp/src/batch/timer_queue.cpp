#include <algorithm>
#include <headrace/batch/timer_queue.hpp>

namespace headrace::batch {

struct timer_lane {
    ns duration{0};
    timer_node* head = nullptr;
    timer_node* tail = nullptr;
    std::size_t index = 0;  // in the heap, while it holds nodes
};

namespace {
// Lanes that are empty stay in the map for the next sleeper of their duration, up to this many.
constexpr std::size_t spare_lanes = 64;
}  // namespace

timer_queue::timer_queue() = default;
timer_queue::~timer_queue() = default;

timer_lane& timer_queue::lane_of(ns duration) {
    if (last_ != nullptr && last_->duration == duration) return *last_;
    auto& lane = lanes_[duration.count()];
    if (!lane) {
        lane = std::make_unique<timer_lane>();
        lane->duration = duration;
    }
    last_ = lane.get();
    return *lane;
}

void timer_queue::push(timer_node& node, ns duration, ns now) {
    timer_lane& lane = lane_of(duration);
    const ns due = duration > ns::max() - now ? ns::max() : now + duration;
    node.lane = &lane;
    node.next = nullptr;
    node.prev = lane.tail;
    ++size_;
    if (lane.tail != nullptr) {
        node.time = std::max(due, lane.tail->time);  // `now` of two threads may arrive in the wrong order
        lane.tail->next = &node;
        lane.tail = &node;
        return;
    }
    node.time = due;
    lane.head = lane.tail = &node;
    heap_.push_back(&lane);
    lane.index = heap_.size() - 1;
    sift_up(lane.index);
}

void timer_queue::unlink(timer_lane& lane, timer_node& node) noexcept {
    (node.prev != nullptr ? node.prev->next : lane.head) = node.next;
    (node.next != nullptr ? node.next->prev : lane.tail) = node.prev;
    node.next = node.prev = nullptr;
    node.lane = nullptr;
    --size_;
}

void timer_queue::remove(timer_node& node) noexcept {
    timer_lane& lane = *node.lane;
    const bool was_head = lane.head == &node;
    unlink(lane, node);
    if (lane.head == nullptr) {
        retire(lane);
    } else if (was_head) {
        sift_down(lane.index);  // the new head is later
    }
}

timer_node* timer_queue::pop(ns now) noexcept {
    if (heap_.empty() || heap_.front()->head->time > now) return nullptr;
    timer_node* node = heap_.front()->head;
    remove(*node);
    return node;
}

ns timer_queue::next_due() const noexcept {
    return heap_.empty() ? ns::max() : heap_.front()->head->time;
}

void timer_queue::retire(timer_lane& lane) noexcept {
    const std::size_t hole = lane.index;
    timer_lane* const moved = heap_.back();
    heap_.pop_back();
    if (moved != &lane) {
        place(hole, moved);
        sift_up(hole);
        sift_down(moved->index);
    }
    if (lanes_.size() <= spare_lanes) return;
    if (last_ == &lane) last_ = nullptr;
    lanes_.erase(lane.duration.count());
}

void timer_queue::place(std::size_t index, timer_lane* lane) noexcept {
    heap_[index] = lane;
    lane->index = index;
}

void timer_queue::sift_up(std::size_t index) noexcept {
    timer_lane* const lane = heap_[index];
    while (index > 0) {
        const std::size_t parent = (index - 1) / 2;
        if (heap_[parent]->head->time <= lane->head->time) break;
        place(index, heap_[parent]);
        index = parent;
    }
    place(index, lane);
}

void timer_queue::sift_down(std::size_t index) noexcept {
    timer_lane* const lane = heap_[index];
    for (;;) {
        std::size_t child = 2 * index + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1]->head->time < heap_[child]->head->time) ++child;
        if (lane->head->time <= heap_[child]->head->time) break;
        place(index, heap_[child]);
        index = child;
    }
    place(index, lane);
}

}  // namespace headrace::batch
