// Settings of a batcher. All can be changed while it runs (configure()), the name excepted.
// Threads:  plain values.   Errors: check() says what is outside its range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/base/policies.hpp>
#include <string>

namespace headrace::batch {

struct rate_limit_options {
    double rate = 0.0;      ///< batches or items a second; 0: no limit
    double burst = 1.0;     ///< at most so many at once after a pause
    bool per_item = false;  ///< count items, not batches
};

struct batch_options {
    std::size_t max_batch_size = 100;    ///< items in one batch; 0 is refused
    std::uint64_t max_batch_weight = 0;  ///< sum of weights in one batch; 0: no limit
    ns batch_wait_timeout{0};  ///< wait so long, from the first waiting item on, for a batch to fill. 0: natural
                               ///< batching, a free worker takes at once what is there
    std::size_t min_concurrent_batches = 1;  ///< where the limit starts, and does not go below; 0 is refused
    std::size_t max_concurrent_batches =
        1;                                ///< equal to the minimum: fixed; above: found by batch/concurrency_limit.hpp
    std::size_t max_queue_size = 10'000;  ///< items that wait for their batch; 0 is refused
    full_policy on_full =
        full_policy::wait;  ///< `wait`: items beyond the limit queue up behind it, callers wait for room
    rate_limit_options rate_limit;
    std::size_t cache_size = 0;  ///< results kept for items with a key; 0: none
    ns cache_ttl{0};             ///< for so long; 0: until newer ones need the place
    ns spin{0};  ///< how long a worker without work looks on before it parks; pays below 20 us, burns a core
    std::string name = "batch";
};

failure check(const batch_options& options);

}  // namespace headrace::batch
