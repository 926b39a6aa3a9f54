// A streaming reader of the seed's CSVs: `id,sent,acked` and `id,received,acked`, with or without the last column.
//
// Takes what spreadsheets and shells make of such files: a byte order mark, a header row, blank lines, spaces after
// commas, CRLF, RFC 4180 quoting with newlines inside. Ids are bytes, never numbers. A row that cannot be read is
// reported with its line and a reason, and reading goes on with the next line. A last row without its newline is torn
// unless it is complete: as many columns as the rows before it, and no time written shorter than theirs.
// Memory:   one buffer of about 1.5 MB; a row may have up to 1 MiB.
// Threads:  one at a time.   Lifetime: a row's id is valid until the next call of next().
// Errors:   failure() after csv_event::failed; rows are never lost silently.
#pragma once

#include <cstdint>
#include <headrace/base/error.hpp>
#include <headrace/measure/csv_fields.hpp>
#include <headrace/measure/rows.hpp>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace headrace::measure {

enum class csv_event : std::uint8_t { row, unreadable, torn, end, failed };

struct csv_row {
    std::string_view id;
    std::int64_t first = absent;   ///< sent or received, epoch ns
    std::int64_t second = absent;  ///< acked; absent when the column is missing or empty
    std::uint64_t line = 0;        ///< where the row begins, from 1
};

/// A place between two rows, from which a new reader goes on exactly as the old one would.
struct csv_mark {
    std::uint64_t offset = 0;
    std::uint64_t line = 1;
    std::uint32_t shortest_first = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t shortest_second = std::numeric_limits<std::uint32_t>::max();
    std::uint8_t columns = 0;  ///< most columns seen so far
    bool begun = false;        ///< the header, if any, is behind us
};

class csv_reader {
public:
    explicit csv_reader(std::string path, const csv_mark& from = {});
    ~csv_reader();
    csv_reader(const csv_reader&) = delete;
    csv_reader& operator=(const csv_reader&) = delete;

    /// Fills `row`; after unreadable and torn only its line, and reason() says what was wrong.
    csv_event next(csv_row& row);

    const std::string& reason() const noexcept { return reason_; }
    /// After failed.
    const failure& error() const noexcept { return error_; }
    /// The place behind the row just returned.
    csv_mark mark() const noexcept;

private:
    enum class step : std::uint8_t { more, ready, stop };

    bool open();
    bool fill();
    step next_line(const char*& eol);
    bool fast_row(const char* eol) noexcept;
    bool usual_times(const char* begin, const char* end) noexcept;
    bool plain_times(std::string_view text) noexcept;
    bool parse(csv_cut& cut);
    csv_event careful_row();
    csv_event judge(const csv_cut& cut);
    csv_event last_row(const csv_cut& cut);
    bool header(const csv_cut& cut) const noexcept;
    bool times(const csv_cut& cut);
    bool time_field(const csv_field& f, const char* name, std::int64_t& out);
    void note_shape(std::uint32_t first, std::uint32_t second, std::uint8_t columns) noexcept;
    void advance(std::size_t bytes, std::uint64_t newlines) noexcept;
    csv_event skip_line(std::string why);
    csv_event fail(failure f);
    std::string_view rest() const noexcept { return {at_, static_cast<std::size_t>(end_ - at_)}; }

    std::string path_;
    int fd_ = -1;
    bool eof_ = false;
    std::unique_ptr<char[]> buffer_;
    char* at_ = nullptr;
    char* end_ = nullptr;
    std::uint64_t base_ = 0;  ///< file offset of buffer_[0]
    csv_mark shape_;
    csv_row* row_ = nullptr;  ///< of the call of next() under way
    std::string id_;
    std::string reason_;
    failure error_;
};

}  // namespace headrace::measure
