// One CSV row cut into fields: the careful way, for whatever the reader's fast path does not take.
//
// RFC 4180 quoting (a quoted field may hold commas, newlines and doubled quotes), spaces and tabs around fields
// dropped, a carriage return before the newline dropped. A quote inside an unquoted field is an ordinary character.
// Threads:  pure functions.   Lifetime: fields point into the given bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::measure {

struct csv_field {
    std::string_view text;  ///< between the quotes when quoted
    bool quoted = false;
    bool doubled = false;  ///< holds doubled quotes: unquote() before use
    bool blank() const noexcept { return text.empty() && !quoted; }
};

enum class csv_split : std::uint8_t {
    row,         ///< a whole row
    need_more,   ///< the bytes end inside the row, and more may come
    open_quote,  ///< the bytes end inside a quoted field, and no more come
    after_quote  ///< something other than a comma follows a closing quote
};

struct csv_cut {
    static constexpr std::size_t most_fields = 4;
    csv_split status = csv_split::row;
    std::array<csv_field, most_fields> fields{};
    std::size_t count = 0;  ///< may exceed most_fields; only the first ones are kept, blank ones at the end dropped
    std::size_t bytes = 0;  ///< taken, with the newline
    std::uint64_t newlines = 0;  ///< taken
    bool ended = false;          ///< a newline (or a carriage return at the end of the file) closed the row
};

/// Cuts the row at the beginning of `data`. `last`: no bytes will follow `data`.
csv_cut cut_row(std::string_view data, bool last) noexcept;

/// The text of a quoted field with doubled quotes made single.
void unquote(std::string_view text, std::string& out);

}  // namespace headrace::measure
