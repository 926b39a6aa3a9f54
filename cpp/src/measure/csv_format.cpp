#include <array>
#include <cstring>
#include <headrace/measure/csv_format.hpp>

namespace headrace::measure {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::uint64_t ten_digits = 10'000'000'000;

constexpr auto digit_pairs = [] {
    std::array<char, 200> table{};
    for (std::size_t i = 0; i < 100; ++i) {
        table[2 * i] = static_cast<char>('0' + i / 10);
        table[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return table;
}();

void write_pair(std::uint32_t two_digits, char* to) noexcept {
    std::memcpy(to, &digit_pairs[2 * two_digits], 2);
}

void write_eight(std::uint32_t n, char* to) noexcept {
    const std::uint32_t high = n / 10000;
    const std::uint32_t low = n % 10000;
    write_pair(high / 100, to);
    write_pair(high % 100, to + 2);
    write_pair(low / 100, to + 4);
    write_pair(low % 100, to + 6);
}

/// Whole seconds without leading zeros.
char* write_seconds(std::uint64_t s, char* to) noexcept {
    if (s >= ten_digits / 10 && s < ten_digits) {  // 2001 to 2286
        write_pair(static_cast<std::uint32_t>(s / 100'000'000), to);
        write_eight(static_cast<std::uint32_t>(s % 100'000'000), to + 2);
        return to + 10;
    }
    char reversed[20];
    std::size_t n = 0;
    do {
        reversed[n++] = static_cast<char>('0' + s % 10);
        s /= 10;
    } while (s != 0);
    while (n != 0) *to++ = reversed[--n];
    return to;
}

}  // namespace

char* write_epoch(std::int64_t epoch_ns, char* to) noexcept {
    auto magnitude = static_cast<std::uint64_t>(epoch_ns);
    if (epoch_ns < 0) {
        *to++ = '-';
        magnitude = 0 - magnitude;
    }
    const auto fraction = static_cast<std::uint32_t>(magnitude % second);
    to = write_seconds(magnitude / second, to);
    *to++ = '.';
    *to++ = static_cast<char>('0' + fraction / 100'000'000);
    write_eight(fraction % 100'000'000, to);
    return to + 8;
}

bool needs_quotes(std::string_view id) noexcept {
    const auto blank = [](char c) { return c == ' ' || c == '\t'; };
    if (id.empty()) return false;
    if (blank(id.front()) || blank(id.back())) return true;
    bool found = false;
    for (const char c : id) found |= (c == ',') | (c == '"') | (c == '\n') | (c == '\r');
    return found;
}

char* write_id(std::string_view id, char* to) noexcept {
    if (!needs_quotes(id)) {
        std::memcpy(to, id.data(), id.size());
        return to + id.size();
    }
    *to++ = '"';
    for (const char c : id) {
        if (c == '"') *to++ = '"';
        *to++ = c;
    }
    *to++ = '"';
    return to;
}

std::size_t whole_rows(std::string_view text) noexcept {
    bool quoted = false;
    std::size_t end = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        if (text[i] == '\n' && !quoted) end = i + 1;
    }
    return end;
}

}  // namespace headrace::measure
