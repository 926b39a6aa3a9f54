#include <array>
#include <charconv>
#include <headrace/measure/csv_format.hpp>
#include <headrace/measure/rows.hpp>
#include <headrace/measure/text.hpp>

namespace headrace::measure {

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 24> digits;
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_ms(std::string& out, std::int64_t nanoseconds) {
    if (nanoseconds == absent) return;
    constexpr std::uint64_t unit = 1'000'000;
    std::array<char, 32> text;
    char* p = text.data();
    auto magnitude = static_cast<std::uint64_t>(nanoseconds);
    if (nanoseconds < 0) {
        *p++ = '-';
        magnitude = 0 - magnitude;
    }
    p = std::to_chars(p, text.data() + text.size(), magnitude / unit).ptr;
    *p = '.';
    auto part = static_cast<std::uint32_t>(magnitude % unit);
    for (int i = 6; i > 0; --i) {
        p[i] = static_cast<char>('0' + part % 10);
        part /= 10;
    }
    out.append(text.data(), static_cast<std::size_t>(p + 7 - text.data()));
}

void append_seconds(std::string& out, std::int64_t nanoseconds) {
    if (nanoseconds == absent) return;
    std::array<char, max_time_text> text;
    out.append(text.data(), write_epoch(nanoseconds, text.data()));
}

void append_field(std::string& out, std::string_view text) {
    if (!needs_quotes(text)) {
        out.append(text);
        return;
    }
    const std::size_t before = out.size();
    out.resize(before + max_id_text(text));
    const char* const end = write_id(text, out.data() + before);
    out.resize(static_cast<std::size_t>(end - out.data()));
}

}  // namespace headrace::measure
