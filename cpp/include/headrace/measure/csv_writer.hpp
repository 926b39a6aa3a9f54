// Formats rows as the seed's CSV (csv_format.hpp) into chunks for a chunk_writer.
//
// One producer thread has one csv_writer; all of a program share the chunk_writer, whose chunks do not mix.
//
//     chunk_writer out;                       // the program: one thread, one descriptor
//     if (auto bad = out.open({.fd = 1})) ...
//     csv_writer rows(out, {.anchor = run_anchor});    // each worker
//     rows.record(row);
//     ...
//     rows.flush();
//     auto first_failure = out.close();
//
// Threads:  one at a time.   Lifetime: the chunk_writer outlives it.
// Errors:   error() is the chunk_writer's; rows given after a failure are dropped and counted.
// Stop:     flush() hands over what is buffered; so does the destructor.
#pragma once

#include <headrace/measure/chunk_writer.hpp>
#include <headrace/measure/csv_format.hpp>
#include <headrace/measure/rows.hpp>
#include <memory>

namespace headrace::measure {

struct csv_options {
    clock_anchor anchor{};                 ///< From monotonic times to the epoch.
    std::size_t chunk_bytes = 256 * 1024;  ///< Formatted before it is handed over.
};

class csv_writer final : public row_sink {
public:
    csv_writer(chunk_writer& out, const csv_options& options);
    ~csv_writer() override;
    csv_writer(const csv_writer&) = delete;
    csv_writer& operator=(const csv_writer&) = delete;

    void record(const sent_row& row) override { write(row.id, row.sent, row.acked); }
    void record(const received_row& row) override { write(row.id, row.received, row.receive_acked); }

    /// Hands over what is buffered; waits only while the chunk_writer's queue is full.
    std::error_code flush() override;
    std::error_code error() const noexcept override { return out_.error(); }

    std::uint64_t rows() const noexcept { return rows_; }        ///< formatted
    std::uint64_t dropped() const noexcept { return dropped_; }  ///< not handed over because of a failure

private:
    void write(std::string_view id, std::int64_t first, std::int64_t second);
    void begin_chunk(std::size_t room);
    void hand_over();

    chunk_writer& out_;
    csv_options options_;
    std::int64_t to_epoch_;
    std::string chunk_;  ///< sized to its capacity; [0, used_) is text
    std::size_t used_ = 0;
    std::uint64_t chunk_rows_ = 0;
    std::uint64_t rows_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace headrace::measure
