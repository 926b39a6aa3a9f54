#include <cmath>
#include <functional>
#include <headrace/sqlite/value.hpp>

namespace headrace::sqlite {
namespace {

constexpr double two_to_63 = 9223372036854775808.0;
constexpr std::size_t most_shown = 40;

std::string cut(std::string text) {
    if (text.size() > most_shown) text = text.substr(0, most_shown) + "...";
    return text;
}

std::string hex(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (const char c : bytes.substr(0, most_shown)) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

}  // namespace

value comparable(value v) {
    const double* real = std::get_if<double>(&v);
    if (real == nullptr || *real != std::floor(*real) || *real < -two_to_63 || *real >= two_to_63) return v;
    return static_cast<std::int64_t>(*real);
}

std::size_t value_hash::operator()(const value& v) const noexcept {
    switch (v.index()) {
        case 1: return std::hash<std::int64_t>{}(std::get<1>(v));
        case 2: return std::hash<double>{}(std::get<2>(v));
        case 3: return std::hash<std::string>{}(std::get<3>(v));
        case 4: return ~std::hash<std::string>{}(std::get<4>(v).bytes);
        default: return 0;
    }
}

std::string to_text(const value& v) {
    switch (v.index()) {
        case 1: return std::to_string(std::get<1>(v));
        case 2: return std::to_string(std::get<2>(v));
        case 3: return "'" + cut(std::get<3>(v)) + "'";
        case 4: return "x'" + cut(hex(std::get<4>(v).bytes)) + "'";
        default: return "NULL";
    }
}

}  // namespace headrace::sqlite
