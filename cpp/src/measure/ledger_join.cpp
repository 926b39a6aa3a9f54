// The second pass: partition by partition, rows of one id are brought together and its fate is written down.
#include <algorithm>
#include <bit>
#include <headrace/measure/workers.hpp>

#include "ledger_state.hpp"

namespace headrace::measure {
namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};

/// The rows of one partition, linked by id. Buffers are kept from one partition to the next.
class id_groups {
public:
    struct group {
        std::uint64_t low, high;
        std::uint32_t sent = none, received = none;  ///< heads of the chains
        std::uint32_t sent_rows = 0, received_rows = 0;
    };

    std::vector<entry>& entries() noexcept { return entries_; }
    const std::vector<group>& groups() const noexcept { return groups_; }

    void build() {
        const std::size_t size = std::bit_ceil(entries_.size() + entries_.size() / 2 + 1);
        slots_.assign(size, none);
        next_.resize(entries_.size());
        groups_.clear();
        for (std::uint32_t i = 0; i < entries_.size(); ++i) link(i);
    }

    void collect(std::uint32_t head, std::vector<const entry*>& out) const {
        out.clear();
        for (std::uint32_t i = head; i != none; i = next_[i]) out.push_back(&entries_[i]);
    }

private:
    void link(std::uint32_t i) {
        const entry& e = entries_[i];
        group& g = find(e);
        std::uint32_t& head = e.received() ? g.received : g.sent;
        ++(e.received() ? g.received_rows : g.sent_rows);
        next_[i] = head;
        head = i;
    }

    group& find(const entry& e) {
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t s = e.low & mask;; s = (s + 1) & mask) {
            if (slots_[s] == none) {
                slots_[s] = static_cast<std::uint32_t>(groups_.size());
                return groups_.emplace_back(group{e.low, e.high});
            }
            group& g = groups_[slots_[s]];
            if (g.low == e.low && g.high == e.high) return g;
        }
    }

    std::vector<entry> entries_;
    std::vector<std::uint32_t> slots_, next_;
    std::vector<group> groups_;
};

std::int64_t earliest(const std::vector<const entry*>& rows, std::int64_t entry::*time) {
    std::int64_t best = absent;
    for (const entry* e : rows)
        if (e->*time != absent && (best == absent || e->*time < best)) best = e->*time;
    return best;
}

/// What one thread needs to settle ids, and what it has counted.
class settler {
public:
    settler(std::size_t worker, const ledger::state& s, spill_store<packed_match>& matches, reorder_count& reorder)
        : worker_(worker), state_(s), matches_(matches), reorder_(reorder) {}

    id_groups& rows() noexcept { return rows_; }
    const ledger_counts& counts() const noexcept { return counts_; }
    const std::vector<second_count>& seconds() const noexcept { return seconds_; }

    void settle_all() {
        rows_.build();
        for (const id_groups::group& g : rows_.groups()) settle(g);
    }

private:
    void settle(const id_groups::group& g) {
        rows_.collect(g.sent, sent_);
        rows_.collect(g.received, received_);
        if (sent_.size() > 1)
            std::sort(sent_.begin(), sent_.end(), [](auto* a, auto* b) { return a->at.order() < b->at.order(); });
        if (received_.size() > 1)
            std::sort(received_.begin(), received_.end(), [](auto* a, auto* b) {
                return a->first != b->first ? a->first < b->first : a->at.order() < b->at.order();
            });
        if (!received_.empty()) {
            ++counts_.received;
            counts_.duplicated += received_.size() - 1;
            count_second(received_.front()->first, &second_count::received);
            further_receipts();
        }
        if (sent_.empty()) return orphan();
        sent_id();
    }

    void put(place at, match_kind kind, std::size_t number, const entry* receipt, std::int64_t sent,
             std::int64_t acked) {
        packed_match m{at.with(match_tag(kind, number)), {}, sent, acked, absent, absent};
        if (receipt != nullptr) {
            m.receipt = receipt->at;
            m.received = receipt->first;
            m.receive_acked = receipt->second;
        }
        matches_.append(worker_, state_.bucket(at), m);
    }

    void further_receipts() {
        if (sent_.empty()) return;
        for (std::size_t i = 1; i < received_.size(); ++i)
            put(received_[i]->at, match_kind::duplicate, i + 1, received_[i], received_.front()->first, absent);
    }

    void orphan() {
        ++counts_.orphaned;
        ++counts_.unjoined;
        for (std::size_t i = 0; i < received_.size(); ++i)
            put(received_[i]->at, match_kind::orphan, i + 1, received_[i], absent, absent);
    }

    void sent_id() {
        const std::int64_t sent = earliest(sent_, &entry::first);
        const std::int64_t acked = earliest(sent_, &entry::second);
        const place at = sent_.front()->at;
        count_sent(sent, acked);
        put(at, match_kind::primary, sent_.size() - 1, received_.empty() ? nullptr : received_.front(), sent, acked);
        for (std::size_t i = 1; i < received_.size(); ++i) put(at, match_kind::again, i + 1, received_[i], sent, acked);
        further_sends(sent);
        if (!received_.empty() && sent != absent) reorder_.add(worker_, at.source(), sent, received_.front()->first);
    }

    void further_sends(std::int64_t sent) {
        bool shared = false;
        const int owner = state_.owner(sent_.front()->at.source());
        for (std::size_t i = 1; i < sent_.size(); ++i) {
            const bool other = state_.owner(sent_[i]->at.source()) != owner;
            put(sent_[i]->at, other ? match_kind::shared : match_kind::retry, i, nullptr, sent, absent);
            counts_.retries += other ? 0 : 1;
            shared |= other;
        }
        counts_.shared += shared ? 1 : 0;
    }

    void count_sent(std::int64_t sent, std::int64_t acked) {
        const bool got = !received_.empty();
        ++counts_.sent;
        ++(acked != absent ? counts_.acked : counts_.unacked);
        counts_.matched += got ? 1 : 0;
        counts_.unjoined += got ? 0 : 1;
        counts_.lost += !got && acked != absent ? 1 : 0;
        counts_.unacked_received += got && acked == absent ? 1 : 0;
        if (sent == absent) return;  // a segment's row that failed before it was sent
        counts_.negative_latency += got && received_.front()->first < sent ? 1 : 0;
        counts_.negative_send_time += acked != absent && acked < sent ? 1 : 0;
        count_second(sent, &second_count::sent);
    }

    void count_second(std::int64_t time, std::uint64_t second_count::*column) {
        const std::int64_t start = state_.span.first_sent.time;
        if (state_.overlong || start == absent || time < start) return;
        const auto second = static_cast<std::size_t>((time - start) / 1'000'000'000);
        if (second >= seconds_.size()) seconds_.resize(second + 1);
        ++(seconds_[second].*column);
    }

    std::size_t worker_;
    const ledger::state& state_;
    spill_store<packed_match>& matches_;
    reorder_count& reorder_;
    id_groups rows_;
    std::vector<const entry*> sent_, received_;
    ledger_counts counts_;
    std::vector<second_count> seconds_;
};

void add_seconds(std::vector<second_count>& to, const std::vector<second_count>& from) {
    if (from.size() > to.size()) to.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
        to[i].received += from[i].received;
        to[i].sent += from[i].sent;
    }
}

}  // namespace

failure ledger::state::settle(const std::atomic<bool>& cancel) {
    std::vector<settler> settlers;
    for (std::size_t w = 0; w < threads; ++w) settlers.emplace_back(w, *this, *matches, *reorder);
    failure f = share_out(entries->partitions(), threads, cancel, [&](std::size_t w, std::size_t p) {
        if (failure g = entries->read(p, settlers[w].rows().entries())) return g;
        entries->release(p);
        settlers[w].settle_all();
        return matches->error(w);
    });
    if (f) return f;
    entries.reset();
    for (const settler& s : settlers) {
        counts += s.counts();
        add_seconds(seconds, s.seconds());
    }
    f = reorder->finish(cancel, counts.reordered);
    reorder.reset();
    return f;
}

}  // namespace headrace::measure
