// The records of a segment as they lie in memory; segment_format.cpp names the same fields in the header.
#pragma once

#include <headrace/measure/fold_id.hpp>
#include <headrace/measure/rows.hpp>

namespace headrace::measure {

struct sent_record {
    char id[id_width];
    std::int64_t intended, sent, acked;
    std::uint32_t size;
    std::uint16_t worker, attempts;
    std::int32_t error;
    std::uint32_t padding;
};

struct received_record {
    char id[id_width];
    std::int64_t received, receive_acked;
    std::uint32_t size;
    std::uint16_t worker, redelivered;
    std::int32_t error;
    std::uint32_t padding;
};

/// Both kinds at detail `ledger`: first is sent or received, second acked or receive_acked.
struct ledger_record {
    char id[id_width];
    std::int64_t first, second;
    std::int32_t error;
    std::uint32_t padding;
};

static_assert(sizeof(sent_record) == 80 && sizeof(received_record) == 72 && sizeof(ledger_record) == 64);

}  // namespace headrace::measure
