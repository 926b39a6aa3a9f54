// Bytes that the kernel did not take at once, in pieces that stay where they are while a write is under way.
// Threads:  pure; one owner.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace headrace::net::http {

class out_queue {
public:
    void append(std::string_view bytes) {
        size_ += bytes.size();
        if (pieces_.size() > frozen_ && pieces_.back().own() &&
            pieces_.back().text.size() + bytes.size() <= merge_up_to) {
            pieces_.back().text.append(bytes);
        } else {
            pieces_.push_back({std::string(bytes), nullptr});
        }
    }
    /// Large content is moved, not copied.
    void append(std::string&& bytes) {
        if (bytes.size() < merge_up_to) return append(std::string_view(bytes));
        size_ += bytes.size();
        pieces_.push_back({std::move(bytes), nullptr});
    }
    void append(std::shared_ptr<const std::string> bytes) {
        size_ += bytes->size();
        pieces_.push_back({{}, std::move(bytes)});
    }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    /// The first unsent bytes, as at most out.size() pieces. They stay until consume() has passed them.
    std::size_t gather(std::span<std::string_view> out) noexcept {
        std::size_t n = 0;
        for (; n < out.size() && n < pieces_.size(); ++n) {
            out[n] = pieces_[n].view();
            if (n == 0) out[n].remove_prefix(offset_);
        }
        frozen_ = n;
        return n;
    }
    /// `n` bytes left.
    void consume(std::size_t n) noexcept {
        size_ -= n;
        frozen_ = 0;
        n += offset_;
        while (!pieces_.empty() && n >= pieces_.front().view().size()) {
            n -= pieces_.front().view().size();
            pieces_.pop_front();
        }
        offset_ = n;
        if (offset_ != 0) frozen_ = 1;  // what was partly sent must not move either
    }

private:
    static constexpr std::size_t merge_up_to = 16 * 1024;
    struct piece {
        std::string text;
        std::shared_ptr<const std::string> shared;
        bool own() const noexcept { return shared == nullptr; }
        std::string_view view() const noexcept { return own() ? text : std::string_view(*shared); }
    };
    std::deque<piece> pieces_;
    std::size_t frozen_ = 0;  // pieces from the front that a write refers to
    std::size_t offset_ = 0;  // of the front: already sent
    std::size_t size_ = 0;
};

}  // namespace headrace::net::http
