#include <xxhash.h>

#include <algorithm>
#include <headrace/mq/receive_budget.hpp>

namespace headrace::mq {

std::uint64_t id_hash(std::string_view id) noexcept {
    const std::uint64_t hash = XXH3_64bits(id.data(), id.size());
    return hash == 0 ? 1 : hash;
}

std::size_t receive_budget::reserve(std::size_t wanted) {
    if (count_ == 0) return wanted;
    lock_guard hold(mutex_);
    const auto taken = distinct_ + reserved_;
    const auto leave = taken >= count_ ? 0 : std::min<std::uint64_t>(wanted, count_ - taken);
    reserved_ += leave;
    return static_cast<std::size_t>(leave);
}

std::size_t receive_budget::received(std::span<const std::uint64_t> hashes) {
    if (count_ == 0) return 0;
    lock_guard hold(mutex_);
    reserved_ -= std::min<std::uint64_t>(reserved_, hashes.size());
    std::size_t repeated = 0;
    for (const auto hash : hashes) {
        if (insert(hash)) {
            ++distinct_;
        } else {
            ++repeated;
        }
    }
    return repeated;
}

bool receive_budget::complete() const {
    if (count_ == 0) return false;
    lock_guard hold(mutex_);
    return distinct_ >= count_;
}

std::uint64_t receive_budget::distinct() const {
    lock_guard hold(mutex_);
    return distinct_;
}

bool receive_budget::insert(std::uint64_t hash) {
    if ((distinct_ + 1) * 2 > seen_.size()) grow();
    for (std::size_t i = hash & (seen_.size() - 1);; i = (i + 1) & (seen_.size() - 1)) {
        if (seen_[i] == hash) return false;
        if (seen_[i] == 0) {
            seen_[i] = hash;
            return true;
        }
    }
}

void receive_budget::grow() {
    std::vector<std::uint64_t> smaller(std::max<std::size_t>(seen_.size() * 2, 4096));
    smaller.swap(seen_);
    for (const auto hash : smaller) {
        if (hash != 0) insert(hash);
    }
}

}  // namespace headrace::mq
