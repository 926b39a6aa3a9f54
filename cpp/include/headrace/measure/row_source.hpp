// What the ledger reads: rows of sent or received messages that can be read again, from the start or from a mark.
//
// Threads:  a source from any thread; a cursor from one thread at a time.
// Lifetime: the source outlives its cursors; a row's id is valid until the cursor's next call.
#pragma once

#include <headrace/measure/csv_reader.hpp>
#include <headrace/measure/rows.hpp>
#include <headrace/measure/segment_format.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::measure {

/// id; first: sent or received; second: acked or receive_acked; line: of a segment the record's number, from 1.
struct ledger_row : csv_row {
    row_kind kind = row_kind::sent;
    std::int64_t intended = absent;  ///< sent rows of segments; of CSVs the same as first
    std::uint32_t size = 0;
    std::uint16_t worker = 0;
    std::uint16_t attempts = 1;
    bool redelivered = false;
    std::int32_t error = 0;
};

/// What cursors return; a torn or unreadable row has its line in `row.line` and its reason in reason().
using row_event = csv_event;
/// Where a cursor can go on; the fields beyond offset and line are the source's own business.
using row_mark = csv_mark;

class row_cursor {
public:
    virtual ~row_cursor() = default;
    virtual row_event next(ledger_row& row) = 0;
    virtual const std::string& reason() const = 0;
    virtual const failure& error() const = 0;
    /// The place behind the last row; none when the source can only be read from its start.
    virtual std::optional<row_mark> mark() const = 0;
};

class row_source {
public:
    virtual ~row_source() = default;
    virtual std::unique_ptr<row_cursor> open(const row_mark& from) const = 0;
    /// As people know it: the path.
    virtual const std::string& name() const = 0;
    /// Bytes, to share out the work.
    virtual std::uint64_t bytes() const = 0;
};

/// A recorded segment (segment_reader.hpp); its torn tail counts as one torn row. Read from its start only.
class segment_source final : public row_source {
public:
    /// `to_epoch`: convert times by the segment's own clock anchor, to join with CSVs; else monotonic as recorded.
    segment_source(std::string path, bool to_epoch);

    std::unique_ptr<row_cursor> open(const row_mark& from) const override;
    const std::string& name() const override { return path_; }
    std::uint64_t bytes() const override { return bytes_; }

private:
    std::string path_;
    bool to_epoch_;
    std::uint64_t bytes_ = 0;
};

/// A CSV whose rows are all of one kind (csv_reader.hpp).
class csv_source final : public row_source {
public:
    /// `fold`: give ids in the form that segments keep (fold_id.hpp), to join with them.
    csv_source(std::string path, row_kind kind, bool fold = false);

    std::unique_ptr<row_cursor> open(const row_mark& from) const override;
    const std::string& name() const override { return path_; }
    std::uint64_t bytes() const override { return bytes_; }

private:
    std::string path_;
    row_kind kind_;
    bool fold_;
    std::uint64_t bytes_ = 0;
};

/// Which of the given files are segments, by their first bytes; files that cannot be opened count as CSVs.
bool is_segment(const std::string& path);

/// Sources for the producers' files, then for the consumers': CSVs and segments in any mixture. Ids are folded in CSVs
/// when segments are there too. `epoch`: times of segments as epoch ns; implied when CSVs are there too.
/// Errors: not_found; invalid_argument when a segment holds the other kind of rows.
failure make_sources(const std::vector<std::string>& producers, const std::vector<std::string>& consumers, bool epoch,
                     std::vector<std::unique_ptr<row_source>>& out);

}  // namespace headrace::measure
