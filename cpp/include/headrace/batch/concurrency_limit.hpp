// How many batches may run at once: found from how long they take, between a minimum and a maximum.
//
// Vegas (Brakmo and Peterson 1995; as in Netflix concurrency-limits): a batch that takes t where an unloaded downstream
// takes t0 tells that limit * (1 - t0 / t) batches queue up there. Below alpha of them the limit grows by one a round, above
// beta it shrinks by one. Batches of different sizes take different times, so t0 is kept per power of two of the size, as the
// lowest smoothed time. t0 is forgotten every `probe_every` samples and measured anew at half the limit, so that a downstream
// that has changed is seen, and load does not pass for its normal state. A failed or late batch cuts the limit to 70 %
// (AIMD), once for all batches that were under way. It grows only while items wait: an idle stage proves nothing.
// Threads:  pure; one at a time.   Errors: none; the caller has checked min <= max.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <headrace/base/clock.hpp>

namespace headrace::batch {

class concurrency_limit {
public:
    static constexpr std::size_t probe_every = 512;
    static constexpr double back_off_to = 0.7;

    struct sample {
        std::size_t size;  ///< items in the batch, at least 1
        ns started;
        ns ended;
        bool demand;  ///< items were waiting, and no more batches were allowed
        bool failed;  ///< as a whole, or late
    };

    concurrency_limit(std::size_t min, std::size_t max) : min_(min), max_(max), limit_(min) {}

    /// Keeps what it has learnt, within the new bounds.
    void configure(std::size_t min, std::size_t max) noexcept;
    std::size_t limit() const noexcept { return probing_ != 0 ? std::max(min_, limit_ / 2) : limit_; }
    void on_batch(const sample& s) noexcept;
    /// Items of a batch that still runs have passed their deadline.
    void on_late(ns started, ns now) noexcept;

private:
    struct smoothed {
        double now = 0.0;  // 0: no sample yet
        double lowest = 0.0;
    };
    smoothed& times(std::size_t size) noexcept;
    double queued_share(std::size_t size) noexcept;
    void learn(const sample& s) noexcept;
    void end_of_round() noexcept;
    void start_probe() noexcept;

    std::size_t min_;
    std::size_t max_;
    std::size_t limit_;
    std::array<smoothed, 33> times_{};  // by bit width of the size
    double queued_share_ = 0.0;         // sum of 1 - t0 / t over the round
    std::size_t in_round_ = 0;
    bool demand_ = false;
    std::size_t since_probe_ = 0;
    std::size_t probing_ = 0;  // samples left of the probe
    ns cut_at_ = ns::min();
};

}  // namespace headrace::batch
