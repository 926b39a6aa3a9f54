// The third pass: the sources once more, each row with its results.
#include <algorithm>
#include <headrace/measure/workers.hpp>

#include "ledger_state.hpp"

namespace headrace::measure {
namespace {

/// A unit, and the rows and buckets it covers.
struct stretch {
    replay_unit unit;
    row_mark from;
    std::size_t bucket = 0;
    std::uint64_t first_row = 0;
    std::uint64_t rows = 0;
    bool last = false;  ///< reads to the end of the source
};

/// The results of one bucket, in the order of its rows.
class bucket_results {
public:
    failure load(const spill_store<packed_match>& store, std::size_t bucket, std::uint64_t first_row,
                 std::size_t rows) {
        if (failure f = store.read(bucket, packed_)) return f;
        begin_.assign(rows + 1, 0);
        for (const packed_match& p : packed_) ++begin_[static_cast<std::size_t>(p.at.row() - first_row) + 1];
        for (std::size_t i = 1; i <= rows; ++i) begin_[i] += begin_[i - 1];
        sorted_.resize(packed_.size());
        cursor_.assign(begin_.begin(), begin_.end());
        for (const packed_match& p : packed_)
            sorted_[cursor_[static_cast<std::size_t>(p.at.row() - first_row)]++] = unpack(p);
        return {};
    }

    std::span<const match> of(std::size_t row) const noexcept {
        return {sorted_.data() + begin_[row], begin_[row + 1] - begin_[row]};
    }

private:
    std::vector<packed_match> packed_;
    std::vector<match> sorted_;
    std::vector<std::size_t> begin_, cursor_;
};

/// Tells the visitor of a unit that ended in a failure or an exception; others may be waiting for it.
class give_up_guard {
public:
    explicit give_up_guard(replay_visitor& v) : visitor_(&v) {}
    ~give_up_guard() {
        if (visitor_ != nullptr) visitor_->give_up();
    }
    give_up_guard(const give_up_guard&) = delete;
    give_up_guard& operator=(const give_up_guard&) = delete;
    void finished() noexcept { visitor_ = nullptr; }

private:
    replay_visitor* visitor_;
};

class replayer {
public:
    replayer(const row_source& source, const spill_store<packed_match>& store, std::uint64_t bucket_rows,
             replay_visitor& visitor, bucket_results& results, const std::atomic<bool>& cancel)
        : source_(source),
          store_(store),
          bucket_rows_(bucket_rows),
          visitor_(visitor),
          results_(results),
          cancel_(cancel) {}

    failure run(const stretch& s) {
        if (failure f = visitor_.begin(s.unit)) return f;
        cursor_ = source_.open(s.from);
        for (std::uint64_t done = 0; done < s.rows; done += bucket_rows_) {
            const std::uint64_t rows = std::min(bucket_rows_, s.rows - done);
            const std::uint64_t first = s.first_row + done;
            if (failure f = results_.load(store_, s.bucket + done / bucket_rows_, first, rows)) return f;
            if (failure f = bucket(rows)) return f;
        }
        if (s.last) {
            if (failure f = tail()) return f;
        }
        return visitor_.end();
    }

private:
    failure changed() const {
        return failure::of(errc::io_error, source_.name() + ": changed while it was being read");
    }

    failure bucket(std::uint64_t rows) {
        for (std::uint64_t i = 0; i < rows;) {
            const row_event e = cursor_->next(row_);
            if (e == row_event::failed) return cursor_->error();
            if (e == row_event::end) return changed();
            if (e != row_event::row) {
                visitor_.unreadable(row_.line, cursor_->reason(), e == row_event::torn);
                continue;
            }
            visitor_.row(row_, results_.of(static_cast<std::size_t>(i)));
            if (++i % rows_between_looks != 0) continue;
            if (cancel_.load(std::memory_order_relaxed)) return cancelled();
            if (failure f = visitor_.pause()) return f;
        }
        return {};
    }

    failure tail() {
        for (;;) {
            const row_event e = cursor_->next(row_);
            if (e == row_event::failed) return cursor_->error();
            if (e == row_event::end) return {};
            if (e == row_event::row) return changed();
            visitor_.unreadable(row_.line, cursor_->reason(), e == row_event::torn);
        }
    }

    const row_source& source_;
    const spill_store<packed_match>& store_;
    std::uint64_t bucket_rows_;
    replay_visitor& visitor_;
    bucket_results& results_;
    const std::atomic<bool>& cancel_;
    std::unique_ptr<row_cursor> cursor_;
    ledger_row row_;
};

}  // namespace

failure ledger::replay(std::span<replay_visitor* const> visitors, const std::atomic<bool>& cancel) const {
    const state& st = *state_;
    const std::uint64_t bucket_rows = std::uint64_t{1} << st.bucket_shift;
    std::vector<stretch> stretches;
    const auto worth = [&](const source_facts& f, std::size_t bucket, bool sends) {
        return sends || f.unreadable.count != 0 || st.matches->size(bucket) != 0;
    };
    for (std::size_t s = 0; s < st.sources.size(); ++s) {
        const source_facts& f = st.facts[s];
        const std::size_t buckets = st.buckets_of(f);
        const std::size_t pieces = f.marks.empty() ? 1 : std::max<std::size_t>(buckets, 1);
        for (std::size_t i = 0; i < pieces; ++i) {
            stretch t;
            t.first_row = i << st.bucket_shift;
            t.rows = pieces == 1 ? f.rows : std::min(bucket_rows, f.rows - t.first_row);
            t.bucket = f.first_bucket + i;
            t.last = i + 1 == pieces;
            if (!f.marks.empty()) t.from = f.marks[i << (st.bucket_shift - mark_shift)];
            const bool wanted =
                f.rows == 0 ? f.unreadable.count != 0 : pieces != buckets || worth(f, t.bucket, f.sent_rows != 0);
            if (!wanted) continue;
            t.unit = {stretches.size(), s};
            stretches.push_back(t);
        }
    }
    std::vector<bucket_results> results(visitors.size());
    return share_out(stretches.size(), visitors.size(), cancel, [&](std::size_t w, std::size_t i) {
        const stretch& t = stretches[i];
        give_up_guard guard(*visitors[w]);
        replayer r(*st.sources[t.unit.source], *st.matches, bucket_rows, *visitors[w], results[w], cancel);
        failure f = r.run(t);
        if (!f) guard.finished();
        return f;
    });
}

}  // namespace headrace::measure
