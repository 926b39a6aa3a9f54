// Construction, and the first pass: every row of every source into its partition.
#include <headrace/measure/ledger.hpp>

#include <algorithm>
#include <bit>
#include <headrace/measure/workers.hpp>
#include <random>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ledger_state.hpp"

namespace headrace::measure {
namespace {

std::size_t thread_count(std::size_t wanted) {
    return wanted != 0 ? std::min<std::size_t>(wanted, 64)
                       : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
}

/// So many partitions that one, joined, fits a core's cache.
std::uint64_t partition_bits_for(std::uint64_t bytes) {
    constexpr std::uint64_t bytes_per_row = 48;
    constexpr std::uint64_t rows_per_partition = 1 << 15;
    return std::min<std::uint64_t>(std::bit_width(bytes / bytes_per_row / rows_per_partition), 9);
}

void earlier(stamped_row& best, const stamped_row& other) {
    if (other.time != absent && (best.time == absent || other.time < best.time)) best = other;
}

void later(stamped_row& best, const stamped_row& other) {
    if (other.time != absent && other.time > best.time) best = other;
}

void note_times(source_facts& f, std::size_t source, const ledger_row& r) {
    if (r.first == absent) return;
    if (r.kind == row_kind::received) {
        if (r.first > f.span.last_received.time) f.span.last_received = {r.first, source, r.line};
        return;
    }
    if (f.span.first_sent.time == absent || r.first < f.span.first_sent.time)
        f.span.first_sent = {r.first, source, r.line};
    if (r.first > f.span.last_sent.time) f.span.last_sent = {r.first, source, r.line};
}

void note_example(source_facts& f, const ledger_row& r) {
    std::string& example = r.kind == row_kind::sent ? f.sent_example : f.received_example;
    if (example.empty()) example = r.id;
}

void note_counts(source_facts& f, ledger_counts& c, const ledger_row& r) {
    ++f.rows;
    if (r.kind == row_kind::sent) {
        ++f.sent_rows;
        ++c.sent_rows;
    } else {
        ++c.received_rows;
        c.redelivered += r.redelivered ? 1 : 0;
    }
}

}  // namespace

ledger::ledger(ledger_options options) : state_(std::make_unique<state>(std::move(options))) {
    state_->threads = thread_count(state_->options.threads);
}
ledger::~ledger() = default;

void ledger::add(std::unique_ptr<row_source> source, int owner) {
    state_->owners.push_back(owner >= 0 ? owner : -1 - static_cast<int>(state_->sources.size()));
    state_->sources.push_back(std::move(source));
}

const row_source& ledger::source(std::size_t i) const {
    return *state_->sources[i];
}
std::size_t ledger::sources() const noexcept {
    return state_->sources.size();
}
std::size_t ledger::workers() const noexcept {
    return state_->threads;
}
const ledger_counts& ledger::counts() const noexcept {
    return state_->counts;
}
const ledger_span& ledger::span() const noexcept {
    return state_->span;
}
bool ledger::overlong() const noexcept {
    return state_->overlong;
}
const std::vector<second_count>& ledger::seconds() const noexcept {
    return state_->seconds;
}

const unreadable_rows& ledger::unreadable(std::size_t source) const noexcept {
    return state_->facts[source].unreadable;
}

std::string ledger::example(row_kind kind) const {
    for (const source_facts& f : state_->facts) {
        const std::string& s = kind == row_kind::sent ? f.sent_example : f.received_example;
        if (!s.empty()) return s;
    }
    return {};
}

failure ledger::join(const std::atomic<bool>& cancel) {
    if (sources() > place::most_sources) return failure::of(errc::invalid_argument, "more than 65536 files to join");
    if (failure f = state_->scan(cancel)) return f;
    state_->lay_out();
    return state_->settle(cancel);
}

failure ledger::state::scan(const std::atomic<bool>& cancel) {
    std::random_device random;
    seed = std::uint64_t{random()} << 32 | random();
    std::uint64_t bytes = 0;
    for (const auto& s : sources) bytes += s->bytes();
    partition_bits = partition_bits_for(bytes);
    entries.emplace(pool, std::size_t{1} << partition_bits, threads, options.spill_folder);
    facts.assign(sources.size(), {});
    scanned.assign(threads, {});
    // The largest first, so that no thread is left with one at the end.
    std::vector<std::size_t> order(sources.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return sources[a]->bytes() > sources[b]->bytes(); });
    return share_out(order.size(), threads, cancel,
                     [&](std::size_t w, std::size_t i) { return scan_source(w, order[i], cancel); });
}

failure ledger::state::scan_source(std::size_t worker, std::size_t source, const std::atomic<bool>& cancel) {
    source_facts found;
    ledger_counts counted;
    const std::uint64_t shift = 64 - partition_bits;
    const auto cursor = sources[source]->open({});
    ledger_row r;
    for (;;) {
        if ((found.rows & ((std::uint64_t{1} << mark_shift) - 1)) == 0 &&
            found.rows >> mark_shift == found.marks.size())
            if (const auto m = cursor->mark()) found.marks.push_back(*m);
        const row_event e = cursor->next(r);
        if (e == row_event::end) break;
        if (e == row_event::failed) return cursor->error();
        if (e != row_event::row) {
            if (++found.unreadable.count == 1) {
                found.unreadable.first_line = r.line;
                found.unreadable.first_reason = cursor->reason();
            }
            ++(e == row_event::torn ? counted.torn : counted.unreadable);
            continue;
        }
        if (found.rows == place::most_rows - 1)
            return failure::of(errc::io_error, sources[source]->name() + ": too many rows");
        const XXH128_hash_t h = XXH3_128bits_withSeed(r.id.data(), r.id.size(), seed);
        const std::size_t partition = partition_bits == 0 ? 0 : static_cast<std::size_t>(h.high64 >> shift);
        const place at = place::of(source, found.rows, row_tag(r.kind, r.redelivered, r.error));
        entries->append(worker, partition, {h.low64, h.high64, r.first, r.second, at});
        note_times(found, source, r);
        note_example(found, r);
        note_counts(found, counted, r);
        if (found.rows % rows_between_looks == 0) {
            if (cancel.load(std::memory_order_relaxed)) return cancelled();
            if (entries->error(worker)) return entries->error(worker);
        }
    }
    facts[source] = std::move(found);
    scanned[worker] += counted;
    return entries->error(worker);
}

/// Between the passes: what the run spans, and where the results of each row will go.
void ledger::state::lay_out() {
    std::uint64_t rows = 0;
    for (const source_facts& f : facts) {
        rows += f.rows;
        earlier(span.first_sent, f.span.first_sent);
        later(span.last_sent, f.span.last_sent);
        later(span.last_received, f.span.last_received);
    }
    for (const ledger_counts& c : scanned) counts += c;
    constexpr std::uint64_t most_buckets = 2048;
    while (rows >> bucket_shift > most_buckets) ++bucket_shift;
    std::size_t buckets = 0;
    std::vector<send_range> ranges;
    for (source_facts& f : facts) {
        f.first_bucket = buckets;
        buckets += buckets_of(f);
        const bool any = f.span.first_sent.time != absent;
        ranges.push_back({any ? f.span.first_sent.time : 0, any ? f.span.last_sent.time : 0, f.sent_rows});
    }
    matches.emplace(pool, buckets, threads, options.spill_folder);
    reorder.emplace(pool, ranges, threads, options.spill_folder);
    const std::int64_t end = std::max(span.last_sent.time, span.last_received.time);
    constexpr std::int64_t second = 1'000'000'000;
    overlong = span.first_sent.time != absent && end / second - span.first_sent.time / second > options.longest_span_s;
}

}  // namespace headrace::measure
