// When a batch leaves, and who is in it. No clock, no thread, no user code: time is a parameter, and what must happen
// outside (deliveries, copies of results) is written to an `outbox`.
//
// A batch may leave when fewer than the limit run, tokens are there, and one of these holds: it is full (`size`), flush() asked
// for what waits (`quiescent`), the stage is closing (`drain`), its first item has waited batch_wait_timeout (`timeout`), or,
// without a window, an item that is not held waits (`idle`). Items of one key in flight form a group: one of them, the leader,
// is in the queue or in a batch, the others follow and share its result; when the leader leaves early, the first follower
// takes its place, so nobody's cancel or deadline touches another waiter.
// Threads:  one at a time (the engine's combiner); cancel() may decide items meanwhile, by their state.
// Lifetime: borrows items and batches.   Errors: per item, by its state.   Stop: close(), and finished() once nothing is left.
#pragma once

#include <functional>
#include <headrace/base/token_bucket.hpp>
#include <headrace/batch/concurrency_limit.hpp>
#include <headrace/batch/delivery.hpp>
#include <headrace/batch/item_queue.hpp>
#include <headrace/batch/key_table.hpp>
#include <headrace/batch/options.hpp>
#include <headrace/batch/result_cache.hpp>
#include <headrace/batch/stats.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace headrace::batch {

/// Waiters of one key.
struct key_group {
    item* leader;
    item_list followers;
};

/// What runs: filled by take(), given back to finish().
struct running_batch {
    /// Nobody but its runner looks at the items: they may be completed before finish().
    bool is_private() const noexcept { return !has_keys && !has_deadlines; }

    std::vector<item*> items;
    std::vector<kept_result> kept;  ///< for the cache, when the batch function has answered
    ns started{0};
    std::size_t size = 0;  ///< items at the start
    bool has_keys = false;
    bool has_deadlines = false;
    bool failed = false;  ///< as a whole
    bool late = false;    ///< an item passed its deadline in it
    bool demand = false;  ///< items waited beside it for lack of a place
    running_batch* next = nullptr;
    running_batch* previous = nullptr;
};

/// What the state machine wants done once nobody holds it.
struct outbox {
    struct share {
        const item* from;
        item* to;
    };
    struct hit {
        kept_result from;
        item* to;
    };
    delivery decided;           ///< complete; deliver after the shares and hits
    std::vector<share> shares;  ///< copy the result of a leader, then deliver `to`
    std::vector<hit> hits;      ///< copy a cached result, then deliver `to`
    bool empty() const noexcept { return decided.empty() && shares.empty() && hits.empty(); }
};

class batch_fsm {
public:
    using same_key = std::function<bool(const item&, const item&)>;

    struct step {
        bool dispatch = false;  ///< take() may be called now
        reason why = reason::idle;
        ns at = ns::max();            ///< look again then
        bool wants_arrivals = false;  ///< look again when an item arrives
    };

    /// `options` passed check().
    batch_fsm(const batch_options& options, same_key same, ns now);

    void configure(const batch_options& options, ns now);
    const batch_options& options() const noexcept { return options_; }

    void arrive(item& it, ns now, outbox& out);
    /// Its waiter has given it up while it was waiting.
    void withdraw(item& it, outbox& out);
    step next(ns now) const;
    /// Fills an empty batch after next() said `dispatch`; false when nothing was left to take.
    bool take(ns now, running_batch& b, outbox& out);
    void finish(running_batch& b, ns now, outbox& out);
    /// What waits now leaves as soon as it may, held or not.
    void flush() noexcept { forced_ = queue_.size(); }
    /// No window any more; with `cancel` everything that waits is cancelled.
    void close(stop_mode mode, outbox& out);
    bool finished() const noexcept { return closing_ && waiting() == 0 && running_ == 0; }
    /// Frees the waiters whose deadline has passed.
    void sweep(ns now, outbox& out);
    /// When to sweep next.
    ns next_deadline() const noexcept { return next_deadline_; }

    void prime(kept_result result, ns now);
    void forget(std::uint64_t key) { cache_.erase(key); }
    auto forget_all() { return cache_.clear(); }

    std::size_t waiting() const noexcept { return queue_.size() + following_; }
    std::size_t running() const noexcept { return running_; }
    /// How many items have stopped waiting since the last call.
    std::size_t take_departed() noexcept { return std::exchange(departed_, 0); }
    /// Items that were cancelled or timed out while they ran: counted here, decided elsewhere.
    void count_cancelled_running(std::uint64_t n) noexcept { counters_.cancelled += n; }
    void read_stats(ns now, batch_stats& out) const;

private:
    bool settle(item& it, item_state to, outbox& out);
    void follow(item& leader, item& it);
    void unqueue(item& it);
    void unfollow(item& it);
    item* heir_of(item& it);
    bool over_limit() const noexcept { return waiting() > options_.max_queue_size; }
    void drop_least(item& newest, outbox& out);
    bool full() const noexcept;
    double tokens_for(std::size_t items) const noexcept {
        return options_.rate_limit.per_item ? static_cast<double>(items) : 1.0;
    }
    std::size_t room_by_tokens(ns now) const;
    void enter_batch(item& it, ns now, running_batch& b);
    void share_with_followers(item& leader, outbox& out);
    void sweep_running(running_batch& b, ns now, outbox& out);
    void sweep_followers(key_group& group, ns now, outbox& out);
    void note_deadline(const item& it) noexcept { next_deadline_ = std::min(next_deadline_, it.deadline); }

    batch_options options_;
    same_key same_;
    item_queue queue_;
    key_table keys_;
    result_cache cache_;
    concurrency_limit limit_;
    std::optional<token_bucket> bucket_;
    running_batch* first_running_ = nullptr;
    std::size_t running_ = 0;
    std::size_t following_ = 0;  // waiters that follow a leader
    std::size_t forced_ = 0;     // items that leave without waiting for more
    std::size_t departed_ = 0;
    bool closing_ = false;
    ns next_deadline_ = ns::max();  // no deadline is earlier
    batch_counters counters_;
    measure::histogram sizes_, wait_, service_;
};

}  // namespace headrace::batch
