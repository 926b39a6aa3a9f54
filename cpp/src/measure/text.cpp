#include <array>
#include <charconv>
#include <headrace/measure/rows.hpp>
#include <headrace/measure/text.hpp>

namespace headrace::measure {
namespace {

/// `value` in units of 10^-decimals, with all decimals written.
void append_decimal(std::string& out, std::int64_t value, std::uint64_t unit, int decimals) {
    std::array<char, 32> digits;
    char* p = digits.data();
    auto magnitude = static_cast<std::uint64_t>(value);
    if (value < 0) {
        *p++ = '-';
        magnitude = 0 - magnitude;
    }
    p = std::to_chars(p, digits.data() + digits.size(), magnitude / unit).ptr;
    *p = '.';
    std::uint64_t part = magnitude % unit;
    for (int i = decimals; i > 0; --i) {
        p[i] = static_cast<char>('0' + part % 10);
        part /= 10;
    }
    out.append(digits.data(), static_cast<std::size_t>(p + 1 + decimals - digits.data()));
}

}  // namespace

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 24> digits;
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_ms(std::string& out, std::int64_t nanoseconds) {
    if (nanoseconds != absent) append_decimal(out, nanoseconds, 1'000'000, 6);
}

void append_seconds(std::string& out, std::int64_t nanoseconds) {
    if (nanoseconds != absent) append_decimal(out, nanoseconds, 1'000'000'000, 9);
}

void append_field(std::string& out, std::string_view text) {
    bool quote = text.empty() || text.front() == ' ' || text.back() == ' ' || text.front() == '\t' || text.back() == '\t';
    for (const char c : text) quote |= c == ',' || c == '"' || c == '\n' || c == '\r';
    if (!quote) {
        out.append(text);
        return;
    }
    out.push_back('"');
    for (const char c : text) {
        if (c == '"') out.push_back('"');
        out.push_back(c);
    }
    out.push_back('"');
}

}  // namespace headrace::measure
