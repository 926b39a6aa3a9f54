// The file format of recorded rows, shared by segment_writer and segment_reader.
//
//   file   = "headrseg" version:u32 length:u32 JSON[length] xxh64:u64 block*
//   block  = "HRBk" rows:u32 payload_xxh64:u64 header_xxh64:u64 record[rows]
//   record = fixed width; the JSON names its fields with type and offset
//
// Integers are little-endian. The first checksum covers all bytes before it, header_xxh64 the 16 bytes before it. The
// JSON object holds format, kind ("sent" | "received"), detail ("full" | "ledger"), program, clock_anchor
// {monotonic_ns, epoch_ns}, record_size, block_bytes (the most that a block's records take) and fields [{name, type,
// offset}]; types are those of numpy ("S40", "<i8", "<u4", "<u2", "<i4"). An absent time is the smallest int64.
// Errors:   functions return a failure whose text has no path; the caller adds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::measure {

enum class row_kind { sent, received };

/// What is recorded per item. ledger: only what proves that nothing was lost, duplicated or reordered (id, the two
/// times, error). summary: no rows at all, histograms alone; there is no segment for it.
enum class detail_level { full, ledger, summary };

struct segment_field {
    std::string name;
    std::string type;
    std::size_t offset = 0;
    std::size_t width() const noexcept;
    bool operator==(const segment_field&) const = default;
};

struct segment_header {
    row_kind kind = row_kind::sent;
    detail_level detail = detail_level::full;
    std::string program;  ///< who wrote it, for people
    clock_anchor anchor;
    std::size_t record_size = 0;
    std::size_t block_bytes = 0;
    std::vector<segment_field> fields;
    std::string json;  ///< as found in the file

    /// Offset of the named field of this type, or -1 when the segment does not have it.
    std::ptrdiff_t offset_of(std::string_view name, std::string_view type) const noexcept;
};

inline constexpr std::size_t segment_prologue = 16;      ///< magic, version, length
inline constexpr std::size_t segment_block_header = 24;  ///< bytes before a block's records
inline constexpr std::size_t segment_max_block = std::size_t{1} << 26;
inline constexpr std::size_t segment_max_json = std::size_t{1} << 20;

const char* name_of(row_kind kind) noexcept;
const char* name_of(detail_level detail) noexcept;

/// The header for a new segment: fields and record size follow from kind and detail. `block_bytes` is rounded down to
/// whole records (at least one).
segment_header make_segment_header(row_kind kind, detail_level detail, std::string program, clock_anchor anchor,
                                   std::size_t block_bytes);

/// The first bytes of a segment.
std::string encode_segment_header(const segment_header& header);

/// The length of the whole header whose first segment_prologue bytes are given; 0 when they are not those of a segment.
std::size_t segment_header_size(std::string_view prologue) noexcept;

/// Reads the header from exactly segment_header_size() bytes.
failure decode_segment_header(std::string_view bytes, segment_header& out);

/// Writes the 24 bytes before `records`.
void encode_block_header(std::string_view records, std::uint32_t rows, char* to) noexcept;

struct segment_block {
    std::uint32_t rows = 0;
    std::uint64_t checksum = 0;
};
/// False when the 24 bytes are not a block's header or are damaged.
bool decode_block_header(const char* bytes, segment_block& out) noexcept;
bool block_is_whole(const segment_block& block, std::string_view records) noexcept;

}  // namespace headrace::measure
