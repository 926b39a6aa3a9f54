#include <headrace/measure/csv_time.hpp>

#include <limits>

namespace headrace::measure {
namespace {

constexpr std::size_t most_second_digits = 11;
constexpr std::size_t least_nanosecond_digits = 17;
constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

std::size_t count_digits(std::string_view s) noexcept {
    std::size_t n = 0;
    while (n < s.size() && detail::digit(s[n])) ++n;
    return n;
}

/// False when the value does not fit 64 signed bits.
bool to_number(std::string_view digits, std::uint64_t& value) noexcept {
    value = 0;
    for (const char c : digits) {
        const auto d = static_cast<std::uint64_t>(c - '0');
        if (value > (largest - d) / 10) return false;
        value = value * 10 + d;
    }
    return true;
}

/// The first nine digits of a fraction as nanoseconds.
std::uint64_t fraction_ns(std::string_view digits) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 9; ++i)
        value = value * 10 + (i < digits.size() ? static_cast<unsigned>(digits[i] - '0') : 0);
    return value;
}

parsed_time failed(time_fault f) noexcept {
    return {0, f};
}

time_fault what_follows(std::string_view rest) noexcept {
    return rest.front() == 'e' || rest.front() == 'E' ? time_fault::exponent : time_fault::not_a_number;
}

}  // namespace

parsed_time parse_time(std::string_view text) noexcept {
    if (text.empty()) return failed(time_fault::empty);
    if (text.front() == '-' || text.front() == '+') return failed(time_fault::negative);
    const std::size_t whole = count_digits(text);
    if (whole == 0) return failed(time_fault::not_a_number);
    std::string_view rest = text.substr(whole);
    std::uint64_t fraction = 0;
    const bool dotted = !rest.empty() && rest.front() == '.';
    if (dotted) {
        const std::size_t n = count_digits(rest.substr(1));
        if (n == 0) return failed(time_fault::not_a_number);
        fraction = fraction_ns(rest.substr(1, n));
        rest.remove_prefix(n + 1);
    }
    if (!rest.empty()) return failed(what_follows(rest));
    std::uint64_t value = 0;
    if (!to_number(text.substr(0, whole), value)) return failed(time_fault::too_large);
    if (whole <= most_second_digits) {
        if (value > (largest - fraction) / 1'000'000'000) return failed(time_fault::too_large);
        return {static_cast<std::int64_t>(value * 1'000'000'000 + fraction), time_fault::none};
    }
    if (whole < least_nanosecond_digits) return failed(time_fault::ambiguous);
    if (dotted) return failed(time_fault::not_a_number);
    return {static_cast<std::int64_t>(value), time_fault::none};
}

std::string_view explain(time_fault fault) noexcept {
    switch (fault) {
        case time_fault::none: return "is a time";
        case time_fault::empty: return "is empty";
        case time_fault::not_a_number: return "is not a time (epoch seconds such as 1617516000.25, or nanoseconds)";
        case time_fault::negative: return "has a sign; epoch times have none";
        case time_fault::exponent: return "has an exponent; write all digits";
        case time_fault::ambiguous:
            return "has 12 to 16 digits: milliseconds or microseconds? Write epoch seconds (up to 11 digits, with a "
                   "fraction) or nanoseconds (17 digits and more)";
        case time_fault::too_large: return "lies beyond the year 2262";
    }
    return "cannot be read";
}

}  // namespace headrace::measure
