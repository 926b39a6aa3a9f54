// What SQLite stores, as C++ values.
// Threads:  plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace headrace::sqlite {

/// Bytes, as opposed to UTF-8 text, which is std::string.
struct blob {
    std::string bytes;
    friend bool operator==(const blob&, const blob&) = default;
};

/// NULL, INTEGER, REAL, TEXT, BLOB.
using value = std::variant<std::monostate, std::int64_t, double, std::string, blob>;
using row = std::vector<value>;

/// A value as SQLite's `=` compares it under the BINARY collation: 1 and 1.0 are the same, '1' is another.
value comparable(value v);

struct value_hash {
    std::size_t operator()(const value& comparable_value) const noexcept;
};

/// For messages: 7, 7.5, 'text', x'626c6f62', NULL; long texts are cut.
std::string to_text(const value& v);

}  // namespace headrace::sqlite
