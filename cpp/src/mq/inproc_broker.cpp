#include <algorithm>
#include <headrace/mq/inproc_broker.hpp>

namespace headrace::mq {
namespace {

mutex topics_mutex;
std::map<std::string, std::shared_ptr<inproc_topic>> topics HEADRACE_GUARDED_BY(topics_mutex);

void wake(std::vector<inproc_topic::waker>& wakers) {
    for (auto& w : wakers) w();
}

}  // namespace

void inproc_slab::add(std::uint64_t tag, std::string_view id, std::string_view payload) {
    const auto at = static_cast<std::uint32_t>(bytes.size());
    bytes.append(id);
    bytes.append(payload);
    items.push_back({at, static_cast<std::uint32_t>(id.size()), at + static_cast<std::uint32_t>(id.size()),
                     static_cast<std::uint32_t>(payload.size()), tag});
}

std::shared_ptr<inproc_topic> inproc_topic::get(const std::string& name, std::size_t max_queue_size) {
    lock_guard hold(topics_mutex);
    // A topic that only this table holds has no producer and no consumer left; what it still stores stays readable.
    auto& topic = topics[name];
    if (!topic) topic = std::shared_ptr<inproc_topic>(new inproc_topic(max_queue_size));
    return topic;
}

bool inproc_topic::publish(std::shared_ptr<const inproc_slab> slab, const waker& room) {
    std::vector<waker> ready;
    {
        lock_guard hold(mutex_);
        if (end_ - begin_ >= max_queue_size_) {
            producers_.push_back(room);
            return false;
        }
        const auto first = end_;
        end_ += slab->items.size();
        slabs_.push_back({first, std::move(slab)});
        for (auto& [name, group] : groups_) {
            ready.insert(ready.end(), group.waiting.begin(), group.waiting.end());
            group.waiting.clear();
        }
    }
    wake(ready);
    return true;
}

std::uint64_t inproc_topic::join(const std::string& group) {
    lock_guard hold(mutex_);
    group_of(group);
    return ++members_;
}

inproc_topic::group_state& inproc_topic::group_of(const std::string& name) {
    const auto [it, added] = groups_.try_emplace(name);
    if (added) it->second.next = it->second.acked_to = begin_;
    return it->second;
}

void inproc_topic::take(const std::string& group_name, std::uint64_t member, std::size_t count, const waker& ready,
                        std::vector<inproc_message>& out) {
    lock_guard hold(mutex_);
    auto& group = group_of(group_name);
    std::size_t taken = 0;
    for (; taken < count && !group.again.empty(); ++taken) {
        const auto sequence = group.again.front();
        group.again.pop_front();
        group.holders[static_cast<std::size_t>(sequence - group.acked_to)] = member;
        append(sequence, true, out);
    }
    for (; taken < count && group.next < end_; ++taken) {
        group.holders.push_back(member);
        append(group.next++, false, out);
    }
    if (taken < count) group.waiting.push_back(ready);
}

void inproc_topic::append(std::uint64_t sequence, bool redelivered, std::vector<inproc_message>& out) {
    // Deliveries run through slabs in order, so the slab of the previous message is the first to look at.
    if (!out.empty() && !redelivered) {
        const auto& last = out.back();
        if (last.sequence + 1 == sequence && last.index + 1 < last.slab->items.size()) {
            out.push_back({sequence, last.slab, last.index + 1, false});
            return;
        }
    }
    const auto after = std::upper_bound(slabs_.begin(), slabs_.end(), sequence,
                                        [](std::uint64_t s, const stored& slab) { return s < slab.first; });
    const auto& found = *std::prev(after);
    out.push_back({sequence, found.slab, static_cast<std::uint32_t>(sequence - found.first), redelivered});
}

void inproc_topic::ack(const std::string& group_name, const std::vector<std::uint64_t>& sequences) {
    std::vector<waker> room;
    {
        lock_guard hold(mutex_);
        auto& group = group_of(group_name);
        for (const auto sequence : sequences) {
            if (sequence >= group.acked_to) group.holders[static_cast<std::size_t>(sequence - group.acked_to)] = 0;
        }
        while (!group.holders.empty() && group.holders.front() == 0) {
            group.holders.pop_front();
            ++group.acked_to;
        }
        room = drop_acked();
    }
    wake(room);
}

std::vector<inproc_topic::waker> inproc_topic::drop_acked() {
    std::uint64_t lowest = end_;
    for (const auto& [name, group] : groups_) lowest = std::min(lowest, group.acked_to);
    while (!slabs_.empty() && slabs_.front().first + slabs_.front().slab->items.size() <= lowest) slabs_.pop_front();
    begin_ = lowest;
    std::vector<waker> woken;
    if (end_ - begin_ < max_queue_size_) woken.swap(producers_);
    return woken;
}

void inproc_topic::leave(const std::string& group_name, std::uint64_t member) {
    std::vector<waker> ready;
    {
        lock_guard hold(mutex_);
        auto& group = group_of(group_name);
        for (std::size_t i = 0; i < group.holders.size(); ++i) {
            if (group.holders[i] == member) group.again.push_back(group.acked_to + i);
        }
        if (!group.again.empty()) ready.swap(group.waiting);
    }
    wake(ready);
}

}  // namespace headrace::mq
