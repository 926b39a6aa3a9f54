// The joined rows as columns, for the results model: one row per receipt of an id, one for an id without a receipt.
//
// Order: as the producers' sources, an id's receipts by time; then the orphans as the consumers' sources.
// Times are those of the sources, `absent` where there is none. In memory as a whole: about 100 bytes a row.
#pragma once

#include <cstdint>
#include <headrace/measure/ledger.hpp>
#include <vector>

namespace headrace::measure {

struct sample_table {
    std::vector<char> id;                 ///< 40 bytes each (fold_id.hpp)
    std::vector<std::int32_t> source;     ///< which source of sent rows, from 0; -1 for orphans
    std::vector<std::int32_t> consumer;   ///< which source of received rows, from 0; -1 without a receipt
    std::vector<std::uint16_t> worker;    ///< the producer's thread; an orphan's consumer thread
    std::vector<std::uint32_t> size;      ///< payload bytes; 0 from CSVs
    std::vector<std::uint32_t> attempts;  ///< sends, those of further rows of the id included; 0 for orphans
    std::vector<std::uint32_t> attempt;   ///< which receipt of the id, from 1; 0 without a receipt
    std::vector<std::int64_t> intended, sent, acked, received, receive_acked;
    std::vector<std::uint8_t> redelivered;
    std::vector<std::int32_t> error;  ///< errc of the send, else of the receipt (63: any beyond); 0

    std::size_t rows() const noexcept { return source.size(); }
};

/// After join(). `first_consumer`: the number of sources of sent rows, which come first.
failure collect_samples(const ledger& l, std::size_t first_consumer, const std::atomic<bool>& cancel,
                        sample_table& out);

}  // namespace headrace::measure
