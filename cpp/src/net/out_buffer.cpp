#include <algorithm>
#include <headrace/net/out_buffer.hpp>
#include <utility>

namespace headrace::net {
namespace {
constexpr std::size_t max_spare_chunks = 16;
}

void out_buffer::append_slow(std::string_view bytes) {
    while (!bytes.empty()) {
        if (tail_ == chunks_.size() * chunk_size) {
            if (spare_.empty()) {
                chunks_.push_back(std::make_unique<chunk>());
            } else {
                chunks_.push_back(std::move(spare_.back()));
                spare_.pop_back();
            }
        }
        const std::size_t at = tail_ % chunk_size;
        const std::size_t n = std::min(bytes.size(), chunk_size - at);
        std::memcpy(chunks_.back()->data() + at, bytes.data(), n);
        advance(n);
        bytes.remove_prefix(n);
    }
}

std::string_view out_buffer::piece(std::uint64_t from, std::uint64_t to) const noexcept {
    const auto index = static_cast<std::size_t>((from - base_) / chunk_size);
    const auto at = static_cast<std::size_t>((from - base_) % chunk_size);
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(to - from, chunk_size - at));
    return {chunks_[index]->data() + at, n};
}

std::size_t out_buffer::gather(std::span<std::string_view> out, std::uint64_t until) const noexcept {
    until = std::min(until, end());
    std::size_t n = 0;
    for (std::uint64_t from = sent_; from < until && n < out.size(); from += out[n++].size()) {
        out[n] = piece(from, until);
    }
    return n;
}

void out_buffer::release(std::uint64_t offset) {
    released_ = std::max(released_, offset);
    while (!chunks_.empty() && released_ >= base_ + chunk_size) {
        if (spare_.size() < max_spare_chunks) spare_.push_back(std::move(chunks_.front()));
        chunks_.pop_front();
        base_ += chunk_size;
        tail_ -= chunk_size;
    }
}

void out_buffer::copy_to(std::uint64_t from, std::uint64_t to, out_buffer& target) const {
    while (from < to) {
        const auto bytes = piece(from, to);
        target.append(bytes);
        from += bytes.size();
    }
}

void out_buffer::clear() {
    *this = out_buffer{};
}

}  // namespace headrace::net
