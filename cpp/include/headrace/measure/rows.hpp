// What the measured loops say about each item, and the sink that takes it (recorder, CSV writer, ledger).
//
// Times are monotonic nanoseconds (base/clock.hpp); `absent` means it never happened. A row is complete when it is
// given to a sink: the producer's once acked or failed, the consumer's once its ack was confirmed or given up.
// Threads:  a sink belongs to the one thread that calls it.
// Lifetime: string views live for the call only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <system_error>

namespace headrace::measure {

inline constexpr std::int64_t absent = std::numeric_limits<std::int64_t>::min();

struct sent_row {
    std::string_view id;
    std::int64_t intended = absent;  ///< when the schedule wanted it sent (== sent in a closed loop)
    std::int64_t sent = absent;      ///< handed to the connection, first attempt
    std::int64_t acked = absent;     ///< the broker's acknowledgement was read
    std::uint32_t size = 0;          ///< payload bytes
    std::uint16_t worker = 0;        ///< thread number within the program
    std::uint16_t attempts = 1;      ///< times written to a connection
    std::int32_t error = 0;          ///< errc value, 0 when acked
};

struct received_row {
    std::string_view id;
    std::int64_t received = absent;       ///< the broker's delivery was read
    std::int64_t receive_acked = absent;  ///< our acknowledgement was confirmed (or written, where no reply exists)
    std::uint32_t size = 0;               ///< payload bytes
    std::uint16_t worker = 0;             ///< thread number within the program
    std::uint16_t redelivered = 0;        ///< 1 when the broker or the session says it was delivered before
    std::int32_t error = 0;               ///< errc value, 0 when acked
};

class row_sink {
public:
    virtual ~row_sink() = default;
    virtual void record(const sent_row& row) = 0;
    virtual void record(const received_row& row) = 0;
    /// Makes what was recorded so far readable by others. Cheap when nothing is buffered. Called at least every 100 ms.
    virtual std::error_code flush() = 0;
    /// The first error met while writing (disk full, closed pipe), or none. Sticky.
    virtual std::error_code error() const noexcept = 0;
};

}  // namespace headrace::measure
