#include <headrace/batch/concurrency_limit.hpp>

#include <algorithm>
#include <bit>

namespace headrace::batch {

void concurrency_limit::configure(std::size_t min, std::size_t max) noexcept {
    min_ = min;
    max_ = max;
    limit_ = std::clamp(limit_, min, max);
}

void concurrency_limit::on_late(ns started, ns now) noexcept {
    if (started < cut_at_) return;  // it began before the last cut: it tells the same story again
    cut_at_ = now;
    limit_ = std::max(min_, static_cast<std::size_t>(static_cast<double>(limit_) * back_off_to));
    in_round_ = 0;
    queued_share_ = 0.0;
    demand_ = false;
}

void concurrency_limit::on_batch(const sample& s) noexcept {
    if (min_ == max_) return;
    if (s.failed) return on_late(s.started, s.ended);
    if (probing_ != 0) {
        if (probing_-- <= limit_) learn(s);  // the first half began under full load
        return;
    }
    learn(s);
    queued_share_ += queued_share(s.size);
    demand_ |= s.demand;
    if (++in_round_ >= limit_) end_of_round();
    if (++since_probe_ >= probe_every) start_probe();
}

concurrency_limit::smoothed& concurrency_limit::times(std::size_t size) noexcept {
    return times_[std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(size)), times_.size() - 1)];
}

double concurrency_limit::queued_share(std::size_t size) noexcept {
    return 1.0 - times(size).lowest / times(size).now;
}

void concurrency_limit::learn(const sample& s) noexcept {
    const double t = std::max(1.0, static_cast<double>((s.ended - s.started).count()));
    auto& time = times(s.size);
    time.now = time.now == 0.0 ? t : time.now + (t - time.now) / 8;
    if (time.lowest == 0.0 || time.now < time.lowest) time.lowest = time.now;
}

void concurrency_limit::end_of_round() noexcept {
    const auto limit = static_cast<double>(limit_);
    const double queued = limit * queued_share_ / static_cast<double>(in_round_);
    const double alpha = 1.0 + 0.15 * limit;
    if (queued < alpha && demand_ && limit_ < max_) ++limit_;
    if (queued > 2 * alpha && limit_ > min_) --limit_;
    in_round_ = 0;
    queued_share_ = 0.0;
    demand_ = false;
}

void concurrency_limit::start_probe() noexcept {
    since_probe_ = 0;
    if (limit_ == min_) return;
    times_ = {};
    probing_ = 2 * limit_;  // the batches under way, and as many under half the load
}

}  // namespace headrace::batch
