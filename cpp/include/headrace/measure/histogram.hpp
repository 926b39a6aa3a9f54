// Histogram of durations: 0 ns to 1 h at 1 ns resolution, three significant digits.
//
// Layout of HdrHistogram (G. Tene, hdrhistogram.org): values below 2048 have a slot each; above, every power of two is
// divided into 1024 slots, so a slot is at most 1/1024 of its value wide. count, min, max, mean and standard deviation
// are exact; only percentiles carry the width of a slot. Values outside the range are counted apart, never moved in:
// below() holds negative ones (a clock or pairing error), above() those over an hour.
// Threads:  one at a time. Give each thread its own and merge() them.
// Errors:   recording cannot fail; decode() says what is wrong with the bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <headrace/base/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::measure {

__extension__ typedef unsigned __int128 uint128;

class histogram {
public:
    static constexpr std::int64_t highest = 3'600'000'000'000;  ///< largest value in range, ns

    histogram() : counts_(slots) {}

    void record(std::int64_t value) noexcept { record_n(value, 1); }

    /// As recording `value` `n` times.
    void record_n(std::int64_t value, std::uint64_t n) noexcept {
        if (static_cast<std::uint64_t>(value) > static_cast<std::uint64_t>(highest)) {
            (value < 0 ? below_ : above_) += n;
            return;
        }
        const auto v = static_cast<std::uint64_t>(value);
        counts_[slot_of(v)] += n;
        count_ += n;
        sum_ += static_cast<uint128>(v) * n;
        squares_ += static_cast<uint128>(v) * v * n;
        if (value < min_ && n != 0) min_ = value;
        if (value > max_ && n != 0) max_ = value;
    }

    void merge(const histogram& other) noexcept;
    void reset() noexcept;

    std::uint64_t count() const noexcept { return count_; }  ///< values in range
    std::uint64_t below() const noexcept { return below_; }  ///< values < 0
    std::uint64_t above() const noexcept { return above_; }  ///< values > highest
    std::uint64_t total() const noexcept { return count_ + below_ + above_; }

    // Of the values in range; 0 when there are none.
    std::int64_t min() const noexcept { return count_ != 0 ? min_ : 0; }
    std::int64_t max() const noexcept { return count_ != 0 ? max_ : 0; }
    double mean() const noexcept;
    double stddev() const noexcept;  ///< of a sample (n - 1); 0 for fewer than two values

    /// The smallest value, up to the width of its slot, that at least `p` percent of the values in range do not exceed.
    /// Never less than the true one, at most 1/1024 above it, within [min(), max()]. `p` outside 0..100 is the nearer
    /// end.
    std::int64_t percentile(double p) const noexcept;

    // Slot i counts the values lower_bound(i) <= value < lower_bound(i + 1).
    std::span<const std::uint64_t> counts() const noexcept { return counts_; }
    static constexpr std::size_t slot_count() noexcept { return slots; }
    static constexpr std::int64_t lower_bound(std::size_t slot) noexcept {
        if (slot >= slots) return highest + 1;
        if (slot < 2 * half) return static_cast<std::int64_t>(slot);
        return static_cast<std::int64_t>(((slot & (half - 1)) + half) << (slot / half - 1));
    }

    /// The percentile distribution as HdrHistogram's tools write it (`.hgrm`), values divided by `unit` ns
    /// (1e6: milliseconds). `ticks` lines for every halving of the distance to 100 %.
    std::string to_hgrm(double unit = 1e6, int ticks = 5) const;

    /// Compact bytes with a checksum, the same on every machine.
    std::string encode() const;
    /// Replaces `out` on success; leaves it alone otherwise.
    static failure decode(std::string_view bytes, histogram& out);

    bool operator==(const histogram&) const = default;

private:
    static constexpr std::size_t half = 1024;

    static constexpr std::size_t slot_of(std::uint64_t v) noexcept {
        const auto shift = static_cast<std::size_t>(53 - std::countl_zero(v | (2 * half - 1)));
        return shift * half + static_cast<std::size_t>(v >> shift);
    }
    bool consistent() const noexcept;

    static constexpr std::size_t slots = 33421;  // slot_of(highest) + 1

    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t below_ = 0;
    std::uint64_t above_ = 0;
    std::int64_t min_ = highest + 1;
    std::int64_t max_ = -1;
    uint128 sum_ = 0;
    uint128 squares_ = 0;
};

}  // namespace headrace::measure
