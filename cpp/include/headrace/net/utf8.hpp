// Whether bytes that arrive in pieces are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
// Threads:  pure; one owner.   Errors: add() is false from the first byte that cannot continue the text.
#pragma once

#include <cstdint>
#include <string_view>

namespace headrace::net {

class utf8_validator {
public:
    /// False as soon as no continuation could make the text valid.
    bool add(std::string_view bytes) noexcept;
    /// True where no character is cut in the middle.
    bool complete() const noexcept { return missing_ == 0; }
    void reset() noexcept { *this = {}; }

private:
    bool start(unsigned char c) noexcept;

    std::uint8_t missing_ = 0;  // continuation bytes still to come
    std::uint8_t low_ = 0x80;   // bounds of the next of them
    std::uint8_t high_ = 0xbf;
};

}  // namespace headrace::net
