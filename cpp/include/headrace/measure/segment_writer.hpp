// Appends rows to a segment (segment_format.hpp): the recorder that survives SIGKILL.
//
// Rows are buffered and written in checksummed blocks, when a block is full or on flush(). What flush() has written is
// in the kernel, so killing the process does not lose it (a power cut may: nothing is fsynced). Threads:  one at a
// time; give each thread a segment of its own. Lifetime: row views live for the call. Errors:   the first failure is
// kept (error(), why()): later rows are dropped and counted, and what a failed write left
//           behind is cut off, so that the blocks before it stay readable.
// Stop:     close(), or the destructor, writes what is buffered.
#pragma once

#include <headrace/measure/rows.hpp>
#include <headrace/measure/segment_format.hpp>
#include <memory>
#include <string>

namespace headrace::measure {

struct segment_options {
    std::string path;                          ///< Created; a file that exists is refused, it may be evidence.
    row_kind kind = row_kind::sent;            ///< Which of the two rows it takes.
    detail_level detail = detail_level::full;  ///< summary is refused: it has no segment.
    std::string program;                       ///< Who writes, for people.
    clock_anchor anchor;                       ///< The run's anchor.
    std::size_t block_bytes = 64 * 1024;       ///< Buffered before a write, rounded down to whole rows (at least one).
};

class segment_writer final : public row_sink {
public:
    segment_writer() = default;
    ~segment_writer() override;
    segment_writer(const segment_writer&) = delete;
    segment_writer& operator=(const segment_writer&) = delete;

    /// Creates the file with its header. Once per object.
    failure open(const segment_options& options);

    void record(const sent_row& row) override;
    void record(const received_row& row) override;

    /// Writes what is buffered as one block.
    std::error_code flush() override;
    std::error_code error() const noexcept override { return why_.code; }

    /// Writes what is buffered and closes the file; the first failure, or none. Idempotent.
    failure close();

    const failure& why() const noexcept { return why_; }         ///< error() in words
    std::uint64_t rows() const noexcept { return rows_; }        ///< written or buffered
    std::uint64_t dropped() const noexcept { return dropped_; }  ///< given after a failure, or lost by it
    std::uint64_t bytes() const noexcept { return end_; }        ///< in the file
    const std::string& path() const noexcept { return path_; }
    row_kind kind() const noexcept { return header_.kind; }

private:
    char* slot(row_kind kind);
    void commit() {
        ++buffered_;
        ++rows_;
        if (buffered_ == capacity_) write_block();
    }
    void write_block();
    void append(std::string_view bytes);
    void fail(const char* what, int error);

    std::string path_;
    segment_header header_;
    std::unique_ptr<char[]> buffer_;  ///< a block's header and its records
    std::uint32_t buffered_ = 0;      ///< rows in buffer_
    std::uint32_t capacity_ = 0;      ///< rows that buffer_ takes
    int fd_ = -1;
    std::uint64_t end_ = 0;  ///< bytes of whole blocks in the file
    std::uint64_t rows_ = 0;
    std::uint64_t dropped_ = 0;
    failure why_;
};

}  // namespace headrace::measure
