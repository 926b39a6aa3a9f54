// The text of the seed's CSV rows: `id,first,second`, times in epoch seconds with nine decimals, an absent time empty.
//
// Ids are text. They are quoted as in RFC 4180 section 2 only when they must be: when they hold a comma, a quote or a
// line break, or begin or end with a blank that a lenient reader would strip. Threads:  pure functions.   Errors: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::measure {

/// Bytes that write_epoch() may write.
inline constexpr std::size_t max_time_text = 32;

/// Writes epoch nanoseconds as "1617516000.000000001" and returns the end. `to` has max_time_text bytes.
char* write_epoch(std::int64_t epoch_ns, char* to) noexcept;

bool needs_quotes(std::string_view id) noexcept;

/// Bytes that write_id() may need.
constexpr std::size_t max_id_text(std::string_view id) noexcept {
    return 2 * id.size() + 2;
}
char* write_id(std::string_view id, char* to) noexcept;

/// Length of the longest prefix of `text` that ends at the end of a row; line breaks inside quotes do not end one.
std::size_t whole_rows(std::string_view text) noexcept;

}  // namespace headrace::measure
