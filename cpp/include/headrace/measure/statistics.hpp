// Exact statistics of any number of 64-bit values in little memory.
//
// Values are kept in the ledger's block pool (8 bytes each, on disk beyond its limit) and gone through a few times:
// once for count, minimum, maximum and sum, once for the deviation, then for percentiles by narrowing down the ranks'
// leading bits (radix selection), so that no sorting and no approximation is needed.
// Percentiles are nearest-rank: the smallest value with at least p % of all values at or below it.
// Standard deviation is the sample's (n - 1).
// Threads:  add(w, ...) from worker w's thread only; the rest when all have ended.
#pragma once

#include <array>
#include <headrace/measure/spill_store.hpp>
#include <optional>

namespace headrace::measure {

/// The percentiles that are reported, in hundredths of a percent, so that ranks are exact.
inline constexpr std::array<std::uint32_t, 6> reported_percentiles{5000, 9000, 9500, 9900, 9990, 9999};

struct statistics {
    std::uint64_t count = 0;
    std::int64_t min = 0;
    std::int64_t max = 0;
    double avg = 0;
    std::optional<double> stddev;  ///< from two values on
    std::array<std::int64_t, reported_percentiles.size()> percentiles{};
};

class value_log {
public:
    value_log(block_pool& pool, std::size_t workers, const std::string& folder)
        : workers_(workers), store_(pool, 1, workers, folder) {}

    void add(std::size_t worker, std::int64_t value) { store_.append(worker, 0, value); }
    failure summarize(statistics& out) const;

private:
    std::size_t workers_;
    spill_store<std::int64_t> store_;
};

/// The same figures of a list in memory.
statistics summarize(const std::vector<std::int64_t>& values);

}  // namespace headrace::measure
