// What became of every message, in numbers.
//
//   sent = acked + unacked            acked = lost + (acked and received)
//   received = matched + orphaned     rows received = received + duplicated
#pragma once

#include <array>
#include <cstdint>

namespace headrace::measure {

struct ledger_counts {
    std::uint64_t sent_rows = 0;
    std::uint64_t received_rows = 0;
    std::uint64_t sent = 0;
    std::uint64_t retries = 0;
    std::uint64_t shared = 0;
    std::uint64_t acked = 0;
    std::uint64_t unacked = 0;
    std::uint64_t received = 0;
    std::uint64_t matched = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t redelivered = 0;
    std::uint64_t lost = 0;
    std::uint64_t unacked_received = 0;
    std::uint64_t orphaned = 0;
    std::uint64_t unjoined = 0;
    std::uint64_t reordered = 0;
    std::uint64_t negative_latency = 0;
    std::uint64_t negative_send_time = 0;
    std::uint64_t unreadable = 0;
    std::uint64_t torn = 0;
};

struct count_field {
    const char* name;
    std::uint64_t ledger_counts::*value;
    const char* meaning;
};

/// Every count with the name it has in summary.csv and in Python.
inline constexpr std::array count_fields{
    count_field{"sent_rows", &ledger_counts::sent_rows, "readable rows of the producers"},
    count_field{"received_rows", &ledger_counts::received_rows, "readable rows of the consumers"},
    count_field{"sent", &ledger_counts::sent, "different ids sent"},
    count_field{"retries", &ledger_counts::retries, "further rows of an id with the same producer"},
    count_field{"shared", &ledger_counts::shared, "ids with rows of more than one producer"},
    count_field{"acked", &ledger_counts::acked, "sent ids that the broker acknowledged"},
    count_field{"unacked", &ledger_counts::unacked, "sent ids that it did not"},
    count_field{"received", &ledger_counts::received, "different ids received"},
    count_field{"matched", &ledger_counts::matched, "ids both sent and received"},
    count_field{"duplicated", &ledger_counts::duplicated, "receipts beyond the first of an id"},
    count_field{"redelivered", &ledger_counts::redelivered, "receipts that the broker or the session marked so"},
    count_field{"lost", &ledger_counts::lost, "acked and never received"},
    count_field{"unacked_received", &ledger_counts::unacked_received, "received although never acked"},
    count_field{"orphaned", &ledger_counts::orphaned, "received and never sent"},
    count_field{"unjoined", &ledger_counts::unjoined, "ids without a partner: sent only or received only"},
    count_field{"reordered", &ledger_counts::reordered,
                "first receipts earlier than that of an id the same producer sent before"},
    count_field{"negative_latency", &ledger_counts::negative_latency, "ids received before they were sent"},
    count_field{"negative_send_time", &ledger_counts::negative_send_time, "ids acked before they were sent"},
    count_field{"unreadable", &ledger_counts::unreadable, "rows that could not be read"},
    count_field{"torn", &ledger_counts::torn, "last rows cut short"},
};

inline ledger_counts& operator+=(ledger_counts& to, const ledger_counts& from) {
    for (const count_field& f : count_fields) to.*f.value += from.*f.value;
    return to;
}

}  // namespace headrace::measure
