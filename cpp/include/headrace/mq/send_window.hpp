// Which messages are unacknowledged, since when, and whether another may be sent. No socket, no clock.
// Tags rise by one from 0 and are acknowledged in any order.
// Threads:  pure; one owner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/ring.hpp>

namespace headrace::mq {

class send_window {
public:
    struct entry {
        ns intended;
        ns sent;
        std::uint32_t size;
        std::uint16_t attempts;
        bool settled;
    };

    /// `limit` >= 1 unacknowledged messages.
    explicit send_window(std::size_t limit) : limit_(limit), refill_at_(limit - std::max<std::size_t>(limit / 2, 1)) {}

    std::size_t in_flight() const noexcept { return in_flight_; }
    std::size_t room() const noexcept { return limit_ - in_flight_; }
    /// A window refilled ack by ack costs one small write each; half of it at once costs one large write.
    bool worth_refilling() const noexcept { return in_flight_ <= refill_at_; }
    std::uint64_t next_tag() const noexcept { return first_tag_ + entries_.size(); }
    /// Every tag below it is acknowledged.
    std::uint64_t first_tag() const noexcept { return first_tag_; }

    std::uint64_t add(ns intended, ns sent, std::uint32_t size) {
        const auto tag = next_tag();
        entries_.push_back() = {intended, sent, size, 1, false};
        ++in_flight_;
        return tag;
    }

    /// The entry of an unacknowledged tag, now settled. A copy: its place may be reused.
    entry settle(std::uint64_t tag) {
        auto& e = entries_[static_cast<std::size_t>(tag - first_tag_)];
        const entry settled = e;
        e.settled = true;
        --in_flight_;
        for (; !entries_.empty() && entries_.front().settled; ++first_tag_) entries_.pop_front();
        return settled;
    }

    /// Everything unacknowledged was sent once more.
    void resend() noexcept {
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            if (!entries_[i].settled && entries_[i].attempts < UINT16_MAX) ++entries_[i].attempts;
        }
    }

    /// Calls f(tag, entry) for what is still unacknowledged, oldest first.
    template <class F>
    void for_each_unsettled(F&& f) const {
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            if (!entries_[i].settled) f(first_tag_ + i, entries_[i]);
        }
    }

private:
    const std::size_t limit_;
    const std::size_t refill_at_;
    ring<entry> entries_;
    std::uint64_t first_tag_ = 0;
    std::size_t in_flight_ = 0;
};

}  // namespace headrace::mq
