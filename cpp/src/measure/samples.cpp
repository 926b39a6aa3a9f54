#include <headrace/measure/samples.hpp>

#include <headrace/measure/fold_id.hpp>

namespace headrace::measure {
namespace {

class sample_collector final : public replay_visitor {
public:
    sample_collector(sample_table& out, std::size_t first_consumer) : out_(out), first_consumer_(first_consumer) {}

    failure begin(const replay_unit& unit) override {
        source_ = unit.source;
        return {};
    }
    void unreadable(std::uint64_t, const std::string&, bool) override {}
    failure end() override { return {}; }

    void row(const ledger_row& row, std::span<const match> matches) override {
        std::uint32_t attempt = 0;
        std::uint32_t attempts = row.attempts;
        for (const match& m : matches) {
            if (m.kind == match_kind::primary) attempts += m.number;
            if (m.kind == match_kind::primary || m.kind == match_kind::again)
                message(row, m, attempts, m.received == absent ? 0 : ++attempt);
            if (m.kind == match_kind::orphan) orphan(row, m);
        }
    }

private:
    void message(const ledger_row& row, const match& m, std::uint32_t attempts, std::uint32_t attempt) {
        out_.source.push_back(static_cast<std::int32_t>(source_));
        out_.intended.push_back(row.intended);
        out_.attempts.push_back(attempts);
        out_.attempt.push_back(attempt);
        out_.error.push_back(row.error != 0 ? row.error : m.error);
        common(row, m);
    }

    void orphan(const ledger_row& row, const match& m) {
        out_.source.push_back(-1);
        out_.intended.push_back(absent);
        out_.attempts.push_back(0);
        out_.attempt.push_back(m.number);
        out_.error.push_back(row.error);
        common(row, m);
    }

    void common(const ledger_row& row, const match& m) {
        const std::size_t at = out_.id.size();
        out_.id.resize(at + id_width);
        fold_id_to(row.id, out_.id.data() + at);
        out_.worker.push_back(row.worker);
        out_.size.push_back(row.size);
        out_.sent.push_back(m.sent);
        out_.acked.push_back(m.acked);
        const bool got = m.received != absent;
        out_.consumer.push_back(got ? static_cast<std::int32_t>(m.consumer - first_consumer_) : -1);
        out_.received.push_back(m.received);
        out_.receive_acked.push_back(m.receive_acked);
        out_.redelivered.push_back(m.redelivered ? 1 : 0);
    }

    sample_table& out_;
    std::size_t first_consumer_;
    std::size_t source_ = 0;
};

template <class... Columns>
void reserve_all(std::size_t rows, Columns&... columns) {
    (columns.reserve(rows), ...);
}

}  // namespace

failure collect_samples(const ledger& l, std::size_t first_consumer, const std::atomic<bool>& cancel,
                        sample_table& out) {
    out = {};
    const ledger_counts& c = l.counts();
    const auto rows = static_cast<std::size_t>(c.sent + c.duplicated + c.orphaned);
    out.id.reserve(rows * id_width);
    reserve_all(rows, out.source, out.consumer, out.worker, out.size, out.attempts, out.attempt, out.intended, out.sent,
                out.acked, out.received, out.receive_acked, out.redelivered, out.error);
    sample_collector collector(out, first_consumer);
    replay_visitor* const only = &collector;
    return l.replay({&only, 1}, cancel);
}

}  // namespace headrace::measure
