// How long to wait before the next attempt to connect: doubling, with full jitter, so that a thousand clients that lost
// one server do not come back in step (Brooker, "Exponential Backoff And Jitter", 2015).
// Threads:  pure; one owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <random>

namespace headrace::net {

struct backoff_options {
    ns first = std::chrono::milliseconds{20};  ///< upper bound of the first wait
    ns max = std::chrono::seconds{2};          ///< upper bound of every wait
};

class backoff {
public:
    explicit backoff(backoff_options options = {}, std::uint64_t seed = std::random_device{}())
        : options_(options), random_(seed) {}

    /// Half to the whole of the current bound; the bound doubles up to `max`.
    ns next() {
        const ns bound = std::min(options_.first * (std::int64_t{1} << std::min(attempt_++, 20)), options_.max);
        return bound / 2 + ns{static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound.count() / 2 + 1))};
    }
    void reset() noexcept { attempt_ = 0; }

private:
    backoff_options options_;
    std::minstd_rand random_;
    int attempt_ = 0;
};

}  // namespace headrace::net
