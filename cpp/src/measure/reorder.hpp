// How many messages overtook another: per producer source, in the order of sending, receipts earlier than the latest
// receipt of anything sent before. Equal send times have no order among themselves.
//
// (sent, received) pairs are kept in slices of send time, so that each slice can be sorted in memory on its own.
// Threads:  add(w, ...) from worker w's thread only; finish() when all have ended.
#pragma once

#include <atomic>
#include <headrace/measure/spill_store.hpp>

namespace headrace::measure {

/// The send times of one source, and how many rows lie between them.
struct send_range {
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::uint64_t rows = 0;
};

class reorder_count {
public:
    reorder_count(block_pool& pool, const std::vector<send_range>& sources, std::size_t workers,
                  const std::string& folder);

    void add(std::size_t worker, std::size_t source, std::int64_t sent, std::int64_t received);
    failure finish(const std::atomic<bool>& cancel, std::uint64_t& reordered);

private:
    struct pair {
        std::int64_t sent, received;
    };
    struct slices {
        std::size_t begin = 0;
        std::size_t count = 0;
        std::int64_t first = 0;
        double per_ns = 0;
    };

    static std::vector<slices> lay_out(const std::vector<send_range>& sources);
    static std::size_t total(const std::vector<slices>& s);
    std::vector<std::int64_t> latest_before() const;
    failure count_slice(std::size_t slice, std::int64_t latest, std::uint64_t& reordered);

    std::vector<slices> sources_;
    std::size_t workers_;
    std::vector<std::vector<std::int64_t>> latest_;  ///< per worker, per slice
    spill_store<pair> store_;
};

}  // namespace headrace::measure
