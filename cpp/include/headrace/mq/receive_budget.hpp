// How many more messages the threads of a consuming program may ask for, so that together they take exactly `count`
// distinct ones and leave the rest to others. Distinct by a 64-bit hash of the id: with 10 million ids, one wrongly
// taken for a duplicate has a chance of about 3 in a million.
// Threads:  any.   Errors: none.
#pragma once

#include <cstdint>
#include <headrace/base/mutex.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace headrace::mq {

std::uint64_t id_hash(std::string_view id) noexcept;

class receive_budget {
public:
    /// 0: unlimited.
    explicit receive_budget(std::uint64_t count) : count_(count) {}

    /// Leave to ask for up to `wanted` messages.
    std::size_t reserve(std::size_t wanted) HEADRACE_EXCLUDES(mutex_);
    /// Messages came on that leave; returns how many of them had been seen before.
    std::size_t received(std::span<const std::uint64_t> hashes) HEADRACE_EXCLUDES(mutex_);
    bool limited() const noexcept { return count_ != 0; }
    bool complete() const HEADRACE_EXCLUDES(mutex_);
    std::uint64_t distinct() const HEADRACE_EXCLUDES(mutex_);

private:
    bool insert(std::uint64_t hash) HEADRACE_REQUIRES(mutex_);
    void grow() HEADRACE_REQUIRES(mutex_);

    const std::uint64_t count_;
    mutable mutex mutex_;
    std::vector<std::uint64_t> seen_ HEADRACE_GUARDED_BY(mutex_);  // open addressing, a power of two; 0: free
    std::uint64_t distinct_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::uint64_t reserved_ HEADRACE_GUARDED_BY(mutex_) = 0;
};

}  // namespace headrace::mq
