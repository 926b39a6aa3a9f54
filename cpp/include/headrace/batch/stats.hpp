// What a batcher has done so far, and what it is doing.
// Threads:  plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <headrace/measure/histogram.hpp>

namespace headrace::batch {

/// Why a batch left when it did.
enum class reason : std::uint8_t {
    size,       ///< it was full
    timeout,    ///< its first item had waited batch_wait_timeout
    idle,       ///< a worker was free
    quiescent,  ///< flush(): nothing that still runs could have joined
    drain,      ///< shutdown(drain)
};
inline constexpr std::size_t reasons = 5;
const char* name_of(reason why) noexcept;

struct batch_counters {
    std::uint64_t submitted = 0;                      ///< items that came in, refused ones excepted
    std::uint64_t batches = 0;                        ///< begun
    std::uint64_t items = 0;                          ///< in those batches
    std::array<std::uint64_t, reasons> dispatched{};  ///< batches by reason
    std::uint64_t dedupe_hits = 0;                    ///< items that joined one in flight
    std::uint64_t cache_hits = 0;
    std::uint64_t rejected = 0;        ///< queue full, policy `reject`
    std::uint64_t dropped = 0;         ///< queue full, policy `drop_oldest`
    std::uint64_t refused = 0;         ///< closed, forked, too heavy
    std::uint64_t cancelled = 0;       ///< waiting or running
    std::uint64_t timed_out = 0;       ///< deadline misses, waiting or running
    std::uint64_t failed_batches = 0;  ///< the batch function threw or gave up
};

struct batch_stats {
    batch_counters counters;
    std::size_t waiting = 0;           ///< items without a batch, at most max_queue_size
    std::size_t waiting_for_room = 0;  ///< items beyond that (policy `wait`)
    std::size_t held = 0;
    std::size_t running_batches = 0;
    std::size_t concurrency_limit = 0;
    std::size_t cached = 0;
    double tokens = 0.0;         ///< of the rate limit now; 0 without one
    double saturation = 0.0;     ///< running_batches / concurrency_limit
    measure::histogram sizes;    ///< items per batch
    measure::histogram wait;     ///< ns from submit to the start of the batch
    measure::histogram service;  ///< ns from the start to the end of a batch
};

}  // namespace headrace::batch
