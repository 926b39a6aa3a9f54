// Decided items on their way to their sinks: one chain per sink.
// Threads:  pure; one at a time.   Lifetime: borrows items until deliver().
#pragma once

#include <cstddef>
#include <headrace/batch/item.hpp>
#include <vector>

namespace headrace::batch {

class delivery {
public:
    void add(item& it) {
        it.next = nullptr;
        chain& to = chain_of(it.sink);
        *(to.first == nullptr ? &to.first : &to.last->next) = &it;
        to.last = &it;
        ++size_;
    }
    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    /// Hands everything over; empty afterwards.
    void deliver() noexcept {
        if (size_ == 0) return;
        size_ = 0;
        for (chain& c : chains_) {
            if (item* const first = c.first) {
                c.first = c.last = nullptr;
                c.to->deliver(first);
            }
        }
        if (chains_.size() > many) chains_.clear();
    }

private:
    struct chain {
        batch::sink* to;
        item* first = nullptr;
        item* last = nullptr;
    };
    static constexpr std::size_t many = 16;  // sinks that are remembered

    chain& chain_of(batch::sink* to) {
        if (recent_ < chains_.size() && chains_[recent_].to == to) return chains_[recent_];
        for (recent_ = 0; recent_ < chains_.size(); ++recent_) {
            if (chains_[recent_].to == to) return chains_[recent_];
        }
        chains_.push_back({to});
        return chains_.back();
    }

    std::vector<chain> chains_;
    std::size_t recent_ = 0;
    std::size_t size_ = 0;
};

}  // namespace headrace::batch
