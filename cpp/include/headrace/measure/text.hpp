// Text for CSV output, appended to a string: csv_format.hpp for whoever writes many kinds of rows.
// Threads: pure functions.   Errors: none but std::bad_alloc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::measure {

void append_number(std::string& out, std::uint64_t value);

/// Nanoseconds as milliseconds with six decimals, exact: -1500 becomes -0.001500. Nothing for `absent`.
void append_ms(std::string& out, std::int64_t nanoseconds);

/// Epoch nanoseconds as seconds with nine decimals. Nothing for `absent`.
void append_seconds(std::string& out, std::int64_t nanoseconds);

/// A CSV field, quoted (RFC 4180) only when it has to be.
void append_field(std::string& out, std::string_view text);

}  // namespace headrace::measure
