// Numbers and texts as answer_wire and request_wire lay them out: 32-bit lengths of this machine, each before its bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace headrace::http {

inline void put(std::string& out, std::uint32_t n) {
    char bytes[sizeof n];
    std::memcpy(bytes, &n, sizeof n);
    out.append(bytes, sizeof n);
}

inline void put(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
}

class wire_reader {
public:
    explicit wire_reader(std::string_view bytes) : left_(bytes) {}

    bool number(std::uint32_t& out) noexcept {
        if (left_.size() < sizeof out) return false;
        std::memcpy(&out, left_.data(), sizeof out);
        left_.remove_prefix(sizeof out);
        return true;
    }
    bool text(std::string_view& out) noexcept {
        std::uint32_t n = 0;
        if (!number(n) || n > left_.size()) return false;
        out = left_.substr(0, n);
        left_.remove_prefix(n);
        return true;
    }
    /// How many items follow, of two texts each: never more than there are bytes for.
    bool count(std::uint32_t& out) noexcept { return number(out) && out <= left_.size() / (2 * sizeof out); }
    std::string_view rest() const noexcept { return left_; }

private:
    std::string_view left_;
};

}  // namespace headrace::http
