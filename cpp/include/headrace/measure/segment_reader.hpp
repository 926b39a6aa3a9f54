// Reads a segment (segment_format.hpp) back, also one whose writer was killed or is still at work.
//
// A torn tail is dropped: a last block that is short, whose checksum does not match, or that is followed by nothing but
// zero bytes (what a file system leaves after a power cut). Damage with more data behind it is an error with its
// offset; the rows before it have been handed out by then. The end is where the file ended at open(). Threads:  one at
// a time. Lifetime: rows and blocks point into the reader and live until the next call. Errors:   open() returns the
// failure; next() returns false and why() tells the end (none) from damage.
#pragma once

#include <headrace/measure/rows.hpp>
#include <headrace/measure/segment_format.hpp>
#include <string>
#include <string_view>

namespace headrace::measure {

/// Whole records, header().record_size bytes each.
struct segment_rows {
    std::size_t count = 0;
    std::string_view records;
};

class segment_reader {
public:
    segment_reader() = default;
    ~segment_reader();
    segment_reader(const segment_reader&) = delete;
    segment_reader& operator=(const segment_reader&) = delete;

    failure open(const std::string& path);
    /// The same for a segment in memory; `name` stands for the path in messages.
    failure open_bytes(std::string bytes, std::string name = "segment");

    const segment_header& header() const noexcept { return header_; }

    /// The next row; fields that the segment does not have keep their default. False at the end, on damage, or when the
    /// segment holds the other kind. Do not mix with next_block().
    bool next(sent_row& out);
    bool next(received_row& out);

    /// The next block's records.
    bool next_block(segment_rows& out);

    const failure& why() const noexcept { return why_; }     ///< damage met, or none
    bool torn() const noexcept { return torn_bytes_ != 0; }  ///< a torn tail was dropped
    std::uint64_t torn_bytes() const noexcept { return torn_bytes_; }
    std::uint64_t rows() const noexcept { return rows_; }  ///< in the blocks read so far
    std::uint64_t bytes() const noexcept { return at_; }   ///< of the file read so far, without the torn tail
    std::uint64_t size() const noexcept { return size_; }  ///< of the file at open(), less the torn tail
    std::uint64_t max_rows() const noexcept;               ///< no more rows than this are left, from the size

private:
    struct layout {  // offsets within a record, -1 for absent fields
        std::ptrdiff_t id = -1, intended = -1, first = -1, second = -1, size = -1, worker = -1, extra = -1, error = -1;
    };

    failure read_header();
    void find_fields();
    std::string_view fetch(std::uint64_t offset, std::size_t size);
    bool only_zeros_from(std::uint64_t offset);
    bool tear();
    bool damage(const char* what);
    const char* next_record(row_kind kind);
    void close() noexcept;

    std::string name_;
    std::string buffer_;  ///< of a file: bytes [buffer_at_, buffer_at_ + size); of memory: all
    std::uint64_t buffer_at_ = 0;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    std::uint64_t at_ = 0;
    segment_header header_;
    layout fields_;
    segment_rows block_;
    std::size_t block_next_ = 0;
    std::uint64_t rows_ = 0;
    std::uint64_t torn_bytes_ = 0;
    failure why_;
};

}  // namespace headrace::measure
