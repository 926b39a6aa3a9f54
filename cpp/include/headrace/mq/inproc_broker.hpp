// A broker inside this process: what the harness itself costs, and a queue for tests.
//
// A topic is a bounded sequence of messages; every group reads all of it, the members of a group share it. A message is
// accepted (acknowledged to its producer) when it is in the sequence, and leaves it once every group has acked it. With
// no group yet, messages wait for the first. Full: publish() takes nothing and the producer is woken when there is room.
// Threads:  any; one mutex per topic. Wakers are called without the lock and must only post.
// Lifetime: topics live until the last handle is gone and they are empty of members.
// Errors:   none; limits are answered by taking less.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <headrace/base/mutex.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::mq {

/// Messages that were published together: one allocation for all their bytes.
struct inproc_slab {
    struct item {
        std::uint32_t id, id_size, payload, payload_size;
        std::uint64_t tag;  // the producer's
    };
    std::vector<item> items;
    std::string bytes;

    void add(std::uint64_t tag, std::string_view id, std::string_view payload);
    std::string_view id(std::size_t i) const { return {bytes.data() + items[i].id, items[i].id_size}; }
    std::string_view payload(std::size_t i) const { return {bytes.data() + items[i].payload, items[i].payload_size}; }
};

/// A message of a topic as a member of a group holds it.
struct inproc_message {
    std::uint64_t sequence;
    std::shared_ptr<const inproc_slab> slab;
    std::uint32_t index;
    bool redelivered;
};

class inproc_topic {
public:
    using waker = std::function<void()>;
    static constexpr std::size_t default_max_queue_size = 100'000;

    /// The topic of that name in this process, made when it does not exist.
    static std::shared_ptr<inproc_topic> get(const std::string& name, std::size_t max_queue_size);

    /// Takes the slab when fewer than max_queue_size messages wait; else false, and `room` is called once there is room.
    bool publish(std::shared_ptr<const inproc_slab> slab, const waker& room);

    /// A member of a group; `ready` is called once when messages come after take() found fewer than it wanted.
    std::uint64_t join(const std::string& group);
    /// Up to `count` messages that no member of the group holds, oldest first.
    void take(const std::string& group, std::uint64_t member, std::size_t count, const waker& ready,
              std::vector<inproc_message>& out);
    void ack(const std::string& group, const std::vector<std::uint64_t>& sequences);
    /// What the member holds goes to the others.
    void leave(const std::string& group, std::uint64_t member);

private:
    explicit inproc_topic(std::size_t max_queue_size) : max_queue_size_(max_queue_size) {}

    struct stored {
        std::uint64_t first;  // sequence of the slab's first message
        std::shared_ptr<const inproc_slab> slab;
    };
    struct group_state {
        std::uint64_t next = 0;             // the first sequence that was never delivered
        std::uint64_t acked_to = 0;         // everything before it is acked
        std::deque<std::uint64_t> holders;  // member per sequence from acked_to to next; 0: acked
        std::deque<std::uint64_t> again;    // sequences to deliver again
        std::vector<waker> waiting;
    };

    group_state& group_of(const std::string& name) HEADRACE_REQUIRES(mutex_);
    void append(std::uint64_t sequence, bool redelivered, std::vector<inproc_message>& out) HEADRACE_REQUIRES(mutex_);
    std::vector<waker> drop_acked() HEADRACE_REQUIRES(mutex_);

    const std::size_t max_queue_size_;
    mutex mutex_;
    std::deque<stored> slabs_ HEADRACE_GUARDED_BY(mutex_);
    std::uint64_t begin_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::uint64_t end_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::uint64_t members_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::map<std::string, group_state> groups_ HEADRACE_GUARDED_BY(mutex_);
    std::vector<waker> producers_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::mq
