// A short text without an allocation: up to 47 bytes in place, more on the heap. For ids kept while their ack is owed.
// Threads:  a plain value.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace headrace {

class inline_text {
public:
    inline_text() = default;
    void assign(std::string_view text) {
        if (text.size() <= sizeof place_) [[likely]] {
            std::memcpy(place_, text.data(), text.size());
            size_ = static_cast<std::uint8_t>(text.size());
        } else {
            long_ = text;
            size_ = on_heap;
        }
    }
    std::string_view view() const noexcept {
        return size_ == on_heap ? std::string_view(long_) : std::string_view(place_, size_);
    }

private:
    static constexpr std::uint8_t on_heap = 255;
    char place_[47];
    std::uint8_t size_ = 0;
    std::string long_;
};

}  // namespace headrace
