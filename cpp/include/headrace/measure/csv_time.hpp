// Timestamps of the programs' CSVs: epoch seconds with an optional fraction, or whole epoch nanoseconds.
//
//   1617516000            up to 11 digits: seconds            1617516000.5   with a fraction; digits below 1 ns are cut
//   1617516000123456789   17 digits and more: nanoseconds     everything between is refused: it could be ms or us
//
// Signs, exponents, NaN and infinities are refused. All arithmetic is exact; nothing passes through floating point.
// Threads: every function from any thread.   Errors: time_fault, never throws.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace headrace::measure {

enum class time_fault : std::uint8_t {
    none,
    empty,         ///< nothing but spaces
    not_a_number,  ///< letters, NaN, a bare dot, something after the digits
    negative,      ///< a leading sign
    exponent,      ///< 1.6e9
    ambiguous,     ///< 12 to 16 digits: milliseconds or microseconds
    too_large,     ///< beyond the year 2262, where 64 bits of nanoseconds end
};

struct parsed_time {
    std::int64_t ns = 0;
    time_fault fault = time_fault::none;
};

/// Parses the whole of `text`, which has no spaces around it.
parsed_time parse_time(std::string_view text) noexcept;

/// One sentence for people: what is wrong with `text` and what is expected.
std::string_view explain(time_fault fault) noexcept;

namespace detail {

/// True when the eight bytes are all ASCII digits.
constexpr bool eight_digits(std::uint64_t v) noexcept {
    return ((v & 0xF0F0F0F0F0F0F0F0) | (((v + 0x0606060606060606) & 0xF0F0F0F0F0F0F0F0) >> 4)) == 0x3333333333333333;
}

/// The number that eight ASCII digits spell, first digit in the lowest byte: pairs, then fours, then all eight.
constexpr std::uint64_t eight_digits_value(std::uint64_t v) noexcept {
    v = (v & 0x0F0F0F0F0F0F0F0F) * 2561 >> 8;
    v = (v & 0x00FF00FF00FF00FF) * 6553601 >> 16;
    return (v & 0x0000FFFF0000FFFF) * 42949672960001 >> 32;
}

inline bool digit(char c) noexcept {
    return static_cast<unsigned char>(c - '0') < 10;
}

}  // namespace detail

/// The common shape, `dddddddddd.ddddddddd`, read without a loop. Needs 20 readable bytes at `p`; false for any other
/// shape (then parse_time decides). The byte after it is the caller's to check.
inline bool parse_plain_seconds(const char* p, std::int64_t& ns) noexcept {
    if constexpr (std::endian::native != std::endian::little) return false;
    std::uint64_t whole = 0;
    std::uint64_t part = 0;
    std::memcpy(&whole, p, 8);
    std::memcpy(&part, p + 11, 8);
    if (!detail::eight_digits(whole) || !detail::eight_digits(part)) return false;
    if (!detail::digit(p[8]) || !detail::digit(p[9]) || p[10] != '.' || !detail::digit(p[19])) return false;
    const auto last = [](char c) { return static_cast<std::uint64_t>(c - '0'); };
    const std::uint64_t seconds = detail::eight_digits_value(whole) * 100 + last(p[8]) * 10 + last(p[9]);
    if (seconds > 9'223'372'035) return false;
    ns = static_cast<std::int64_t>(seconds * 1'000'000'000 + detail::eight_digits_value(part) * 10 + last(p[19]));
    return true;
}

}  // namespace headrace::measure
