// Bytes on their way out, kept until the peer has answered them.
//
// A stream of bytes with three marks: released <= sent <= end, each an absolute offset that never goes back except by
// rewind(). Clients append commands, the shell writes [sent, end) with one gathered write, the session releases what was
// answered; after a lost connection rewind() makes the unanswered bytes unsent again. Chunks never move, so a write may
// be in flight while more is appended.
// Threads:  pure; one owner.   Lifetime: spans from gather() stay valid until released.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace headrace::net {

class out_buffer {
public:
    static constexpr std::size_t chunk_size = 64 * 1024;

    void append(std::string_view bytes) {
        const std::size_t room = chunks_.size() * chunk_size - tail_;
        if (bytes.size() <= room && room != 0) [[likely]] {
            std::memcpy(chunks_.back()->data() + tail_ % chunk_size, bytes.data(), bytes.size());
            advance(bytes.size());
        } else {
            append_slow(bytes);
        }
    }

    std::uint64_t end() const noexcept { return base_ + tail_; }
    std::uint64_t sent() const noexcept { return sent_; }
    std::uint64_t released() const noexcept { return released_; }
    std::size_t unsent() const noexcept { return static_cast<std::size_t>(end() - sent_); }

    /// The unsent bytes before `until` as at most out.size() pieces; returns how many pieces were filled.
    std::size_t gather(std::span<std::string_view> out, std::uint64_t until = UINT64_MAX) const noexcept;
    void mark_sent(std::size_t bytes) noexcept { sent_ += bytes; }
    /// Everything before `offset` was answered (offset <= sent()).
    void release(std::uint64_t offset);
    /// Everything that is not released counts as unsent again.
    void rewind() noexcept { sent_ = released_; }
    /// Copies [from, to), both within [released, end], to the end of `target`.
    void copy_to(std::uint64_t from, std::uint64_t to, out_buffer& target) const;
    void clear();

private:
    using chunk = std::array<char, chunk_size>;
    void advance(std::size_t n) noexcept { tail_ += n; }
    void append_slow(std::string_view bytes);
    std::string_view piece(std::uint64_t from, std::uint64_t to) const noexcept;

    std::deque<std::unique_ptr<chunk>> chunks_;
    std::vector<std::unique_ptr<chunk>> spare_;  // a few, so that a steady flow allocates nothing
    std::uint64_t base_ = 0;                     // offset of the first byte of chunks_.front()
    std::size_t tail_ = 0;                       // bytes used, counted from base_
    std::uint64_t sent_ = 0;
    std::uint64_t released_ = 0;
};

}  // namespace headrace::net
