#include "reorder.hpp"

#include <algorithm>
#include <headrace/measure/rows.hpp>
#include <headrace/measure/workers.hpp>

namespace headrace::measure {
namespace {

constexpr std::uint64_t rows_per_slice = 1 << 15;

}  // namespace

std::vector<reorder_count::slices> reorder_count::lay_out(const std::vector<send_range>& sources) {
    std::uint64_t rows = 0;
    for (const send_range& r : sources) rows += r.rows;
    const std::uint64_t per_slice = std::max(rows_per_slice, rows / 1024);
    std::vector<slices> out;
    std::size_t begin = 0;
    for (const send_range& r : sources) {
        const auto count = static_cast<std::size_t>(r.rows / per_slice + 1);
        const double width = static_cast<double>(r.last) - static_cast<double>(r.first) + 1;
        out.push_back({begin, count, r.first, static_cast<double>(count) / width});
        begin += count;
    }
    return out;
}

std::size_t reorder_count::total(const std::vector<slices>& s) {
    return s.empty() ? 0 : s.back().begin + s.back().count;
}

reorder_count::reorder_count(block_pool& pool, const std::vector<send_range>& sources, std::size_t workers,
                             const std::string& folder)
    : sources_(lay_out(sources)),
      workers_(workers),
      latest_(workers, std::vector<std::int64_t>(total(sources_), absent)),
      store_(pool, total(sources_), workers, folder) {}

void reorder_count::add(std::size_t worker, std::size_t source, std::int64_t sent, std::int64_t received) {
    // The same send time always falls into the same slice, and an earlier one never into a later slice.
    const slices& s = sources_[source];
    // A shared id may have been sent earlier by another source: then it counts as this one's first.
    const std::int64_t since = sent > s.first ? sent - s.first : 0;
    const auto step = static_cast<std::size_t>(static_cast<double>(since) * s.per_ns);
    const std::size_t slice = s.begin + std::min(step, s.count - 1);
    store_.append(worker, slice, {sent, received});
    latest_[worker][slice] = std::max(latest_[worker][slice], received);
}

/// Per slice: the latest receipt of all earlier slices of its source.
std::vector<std::int64_t> reorder_count::latest_before() const {
    std::vector<std::int64_t> out(total(sources_), absent);
    for (const slices& s : sources_) {
        std::int64_t latest = absent;
        for (std::size_t i = s.begin; i < s.begin + s.count; ++i) {
            out[i] = latest;
            for (const auto& w : latest_) latest = std::max(latest, w[i]);
        }
    }
    return out;
}

failure reorder_count::count_slice(std::size_t slice, std::int64_t latest, std::uint64_t& reordered) {
    std::vector<pair> pairs;
    if (failure f = store_.read(slice, pairs)) return f;
    store_.release(slice);
    std::sort(pairs.begin(), pairs.end(), [](const pair& a, const pair& b) { return a.sent < b.sent; });
    for (std::size_t i = 0; i < pairs.size();) {
        std::int64_t here = latest;
        const std::int64_t sent = pairs[i].sent;
        for (; i < pairs.size() && pairs[i].sent == sent; ++i) {
            if (pairs[i].received < latest) ++reordered;
            here = std::max(here, pairs[i].received);
        }
        latest = here;
    }
    return {};
}

failure reorder_count::finish(const std::atomic<bool>& cancel, std::uint64_t& reordered) {
    for (std::size_t w = 0; w < workers_; ++w)
        if (store_.error(w)) return store_.error(w);
    const std::vector<std::int64_t> before = latest_before();
    std::vector<std::uint64_t> found(workers_, 0);
    failure f = share_out(before.size(), workers_, cancel,
                          [&](std::size_t w, std::size_t i) { return count_slice(i, before[i], found[w]); });
    reordered = 0;
    for (const std::uint64_t n : found) reordered += n;
    return f;
}

}  // namespace headrace::measure
