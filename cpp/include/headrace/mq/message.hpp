// What brokers deliver, and what every link counts.
#pragma once

#include <cstdint>
#include <string_view>

namespace headrace::mq {

/// One delivery. Views live for the callback.
struct delivery {
    std::uint64_t tag = 0;  ///< this consumer's number for it, rising from 0; acks name it
    std::string_view id;    ///< the producer's id, else the broker's own
    std::string_view payload;
    std::string_view broker_id;  ///< the broker's own name for it (Redis: the entry id)
    bool redelivered = false;    ///< the broker had delivered it before, to us or to another consumer
};

struct link_counters {
    std::uint64_t requests = 0;  ///< broker requests that carried messages or acks (a batch is one)
    std::uint64_t writes = 0;    ///< system calls that wrote; several requests merge into one
    std::uint64_t reads = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t reconnects = 0;
    std::uint64_t resent = 0;             ///< messages written more than once
    std::uint64_t dropped_by_broker = 0;  ///< entries that the broker says were trimmed before anybody acked them
};

}  // namespace headrace::mq
