// The one join of sent with received.
//
// join() reads every source once, sorts rows into partitions by a 128-bit hash of the id (seeded anew each time), joins
// partition by partition, and puts each result back at the row it belongs to. replay() then reads the sources again,
// in their order, and hands out each row with its results, so that ids appear as the text they were. Memory stays near
// the limit whatever the number of rows: what exceeds it goes to unnamed temporary files.
//
// Definitions: an id's earliest send, earliest ack and earliest receipt count. An id twice with one producer is a
// retry; with two producers it is shared. `owner` says which sources are one producer. Threads:  one caller at a time;
// it uses `threads` threads inside. Lifetime: sources belong to the ledger; rows given to visitors are valid during the
// call. Errors:   failure; a source that changes between the two readings is one. Stop:     `cancel` is looked at every
// few thousand rows; then errc::cancelled.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <headrace/base/error.hpp>
#include <headrace/measure/ledger_counts.hpp>
#include <headrace/measure/row_source.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace headrace::measure {

struct ledger_options {
    std::size_t memory_limit = std::size_t{1} << 30;  ///< bytes for rows held in memory; about 64 MiB come on top
    std::size_t threads = 0;                          ///< 0: one per core, at most 8
    std::string spill_folder = "/tmp";                ///< for temporary files
    std::int64_t longest_span_s = 10'000'000;         ///< beyond it there are no per-second counts (see overlong())
};

enum class match_kind : std::uint8_t {
    primary,    ///< at the id's first sent row: its first receipt, or none
    again,      ///< at the id's first sent row: each further receipt, in order
    retry,      ///< at a further sent row of the same producer
    shared,     ///< at a further sent row, of another producer
    duplicate,  ///< at a received row that is not the id's first; `sent` holds the time of the first receipt
    orphan,     ///< at the received row of an id that was never sent
};

/// One result, at one row. Times are `absent` where there are none.
struct match {
    match_kind kind = match_kind::primary;
    std::uint8_t number =
        0;  ///< primary: further sent rows of the id; again, duplicate: which receipt. 31 means 31 or more
    bool redelivered = false;
    std::uint8_t error = 0;      ///< the receipt's errc value
    std::uint16_t consumer = 0;  ///< source of the receipt
    std::int64_t sent = absent;
    std::int64_t acked = absent;
    std::int64_t received = absent;
    std::int64_t receive_acked = absent;
};

/// A run of rows of one source that is visited by one thread.
struct replay_unit {
    std::size_t index = 0;  ///< units are begun in this order
    std::size_t source = 0;
};

class replay_visitor {
public:
    virtual ~replay_visitor() = default;
    virtual failure begin(const replay_unit& unit) = 0;
    virtual void row(const ledger_row& row, std::span<const match> matches) = 0;
    virtual void unreadable(std::uint64_t line, const std::string& reason, bool torn) = 0;
    /// Called after every few thousand rows.
    virtual failure pause() { return {}; }
    virtual failure end() = 0;
    /// Instead of end(), when the unit could not be finished.
    virtual void give_up() noexcept {}
};

/// One second of the run, counted from the first send.
struct second_count {
    std::uint64_t received = 0;  ///< first receipts; those before the first send are in no second
    std::uint64_t sent = 0;
};

/// A time with the place it was read from.
struct stamped_row {
    std::int64_t time = absent;
    std::size_t source = 0;
    std::uint64_t line = 0;
};

/// Rows of one source that could not be read, torn ones too.
struct unreadable_rows {
    std::uint64_t count = 0;
    std::uint64_t first_line = 0;
    std::string first_reason;
};

/// The outermost times of the run; `absent` in a run without such rows.
struct ledger_span {
    stamped_row first_sent;
    stamped_row last_sent;
    stamped_row last_received;
};

class ledger {
public:
    struct state;  ///< the passes' own (src/measure/ledger_state.hpp)

    explicit ledger(ledger_options options);
    ~ledger();
    ledger(const ledger&) = delete;
    ledger& operator=(const ledger&) = delete;

    /// Before join(). Sources with the same `owner` are one producer; -1: the source is one of its own.
    void add(std::unique_ptr<row_source> source, int owner = -1);
    const row_source& source(std::size_t i) const;
    std::size_t sources() const noexcept;
    std::size_t workers() const noexcept;

    failure join(const std::atomic<bool>& cancel);

    const ledger_counts& counts() const noexcept;
    const ledger_span& span() const noexcept;
    /// True when the run is longer than longest_span_s; then seconds() is empty.
    bool overlong() const noexcept;
    const std::vector<second_count>& seconds() const noexcept;
    /// Some id of each kind, for messages; empty when there is none.
    std::string example(row_kind kind) const;

    const unreadable_rows& unreadable(std::size_t source) const noexcept;

    /// Producers' rows all; consumers' rows only near a result or an unreadable row. One visitor per worker.
    failure replay(std::span<replay_visitor* const> visitors, const std::atomic<bool>& cancel) const;

private:
    std::unique_ptr<state> state_;
};

}  // namespace headrace::measure
