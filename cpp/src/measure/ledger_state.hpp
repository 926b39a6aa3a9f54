// What the three passes of the ledger share: packed rows, packed results, and the stores that hold them.
#pragma once

#include <headrace/measure/ledger.hpp>
#include <headrace/measure/spill_store.hpp>
#include <optional>

#include "reorder.hpp"

namespace headrace::measure {

/// Source and row number with eight bits to spare: row 40, source 16, tag 8.
struct place {
    std::uint64_t bits = 0;

    static constexpr std::uint64_t most_rows = std::uint64_t{1} << 40;
    static constexpr std::size_t most_sources = 1 << 16;
    static constexpr place of(std::size_t source, std::uint64_t row, std::uint8_t tag) noexcept {
        return {row | std::uint64_t{source} << 40 | std::uint64_t{tag} << 56};
    }
    constexpr std::uint64_t row() const noexcept { return bits & (most_rows - 1); }
    constexpr std::size_t source() const noexcept { return (bits >> 40) & (most_sources - 1); }
    constexpr std::uint8_t tag() const noexcept { return static_cast<std::uint8_t>(bits >> 56); }
    /// Source and row, in reading order.
    constexpr std::uint64_t order() const noexcept { return bits & ((std::uint64_t{1} << 56) - 1); }
    constexpr place with(std::uint8_t tag) const noexcept { return {order() | std::uint64_t{tag} << 56}; }
};

/// Tag of a row: kind 1, redelivered 1, error 6.
constexpr std::uint8_t row_tag(row_kind kind, bool redelivered, std::int32_t error) noexcept {
    const auto code = static_cast<std::uint8_t>(error < 0 || error > 63 ? 63 : error);
    return static_cast<std::uint8_t>((kind == row_kind::received ? 1 : 0) | (redelivered ? 2 : 0) | code << 2);
}

/// Tag of a result: kind 3, number 5.
constexpr std::uint8_t match_tag(match_kind kind, std::size_t number) noexcept {
    return static_cast<std::uint8_t>(static_cast<unsigned>(kind) | static_cast<unsigned>(number < 31 ? number : 31)
                                                                       << 3);
}

struct entry {
    std::uint64_t low, high;  ///< hash of the id
    std::int64_t first, second;
    place at;
    bool received() const noexcept { return (at.tag() & 1) != 0; }
};

struct packed_match {
    place at;       ///< the row it is handed out with, and match_tag
    place receipt;  ///< its row_tag, and the consumer; meaningless without `received`
    std::int64_t sent, acked, received, receive_acked;
};

inline match unpack(const packed_match& p) noexcept {
    match m;
    m.kind = static_cast<match_kind>(p.at.tag() & 7);
    m.number = p.at.tag() >> 3;
    m.sent = p.sent;
    m.acked = p.acked;
    m.received = p.received;
    m.receive_acked = p.receive_acked;
    if (p.received == absent) return m;
    m.redelivered = (p.receipt.tag() & 2) != 0;
    m.error = p.receipt.tag() >> 2;
    m.consumer = static_cast<std::uint16_t>(p.receipt.source());
    return m;
}

/// What one reading of a source found.
struct source_facts {
    std::uint64_t rows = 0;
    std::uint64_t sent_rows = 0;
    unreadable_rows unreadable;
    std::vector<row_mark> marks;  ///< before every marked_rows-th row; empty when the source has no marks
    std::size_t first_bucket = 0;
    std::string sent_example, received_example;
    ledger_span span;
};

inline constexpr std::uint64_t mark_shift = 16;
inline constexpr std::uint64_t rows_between_looks = 4096;

struct ledger::state {
    explicit state(ledger_options o) : options(std::move(o)), pool(options.memory_limit) {}

    std::size_t buckets_of(const source_facts& f) const noexcept {
        return static_cast<std::size_t>((f.rows + (std::uint64_t{1} << bucket_shift) - 1) >> bucket_shift);
    }
    std::size_t bucket(place p) const noexcept {
        return facts[p.source()].first_bucket + static_cast<std::size_t>(p.row() >> bucket_shift);
    }
    int owner(std::size_t source) const noexcept { return owners[source]; }

    failure scan(const std::atomic<bool>& cancel);
    failure scan_source(std::size_t worker, std::size_t source, const std::atomic<bool>& cancel);
    void lay_out();
    failure settle(const std::atomic<bool>& cancel);

    ledger_options options;
    std::size_t threads = 1;
    std::vector<std::unique_ptr<row_source>> sources;
    std::vector<int> owners;
    std::vector<source_facts> facts;
    std::vector<ledger_counts> scanned;  ///< per worker
    ledger_counts counts;
    ledger_span span;
    bool overlong = false;
    std::vector<second_count> seconds;
    std::uint64_t seed = 0;
    std::uint64_t partition_bits = 0;
    std::uint64_t bucket_shift = mark_shift;
    block_pool pool;  // before the stores, which give back to it
    std::optional<spill_store<entry>> entries;
    std::optional<spill_store<packed_match>> matches;
    std::optional<reorder_count> reorder;
};

}  // namespace headrace::measure
