#include <headrace/batch/batch_fsm.hpp>

#include <algorithm>
#include <cmath>

namespace headrace::batch {

batch_fsm::batch_fsm(const batch_options& options, same_key same, ns now)
    : options_(options),
      same_(std::move(same)),
      limit_(options.min_concurrent_batches, options.max_concurrent_batches) {
    configure(options, now);
}

void batch_fsm::configure(const batch_options& options, ns now) {
    const auto& rate = options.rate_limit;
    const bool same_rate = bucket_ && rate.rate == bucket_->rate() && rate.burst == bucket_->burst();
    if (rate.rate == 0.0) bucket_.reset();
    if (rate.rate != 0.0 && !same_rate) bucket_.emplace(rate.rate, rate.burst, now);
    limit_.configure(options.min_concurrent_batches, options.max_concurrent_batches);
    cache_.configure(options.cache_size, options.cache_ttl);
    const std::string name = std::move(options_.name);
    options_ = options;
    options_.name = name;
}

void batch_fsm::arrive(item& it, ns now, outbox& out) {
    ++counters_.submitted;
    if (it.state() != item_state::waiting) return;  // given up on the way: withdraw() follows
    const auto max_weight = options_.max_batch_weight;
    if (max_weight != 0 && it.weight > max_weight) {
        ++counters_.refused;
        settle(it, item_state::too_heavy, out);
        return;
    }
    note_deadline(it);
    if (it.key != 0) {
        if (const auto kept = cache_.find(it.key, now, [&](const item& other) { return same_(other, it); })) {
            if (it.decide(item_state::waiting, item_state::done)) {
                ++departed_;
                ++counters_.cache_hits;
                out.hits.push_back({kept, &it});
            }
            return;
        }
        if (item* const leader = keys_.find(it.key, [&](const item& other) { return same_(other, it); })) {
            ++counters_.dedupe_hits;
            follow(*leader, it);
        } else {
            keys_.insert(it);
        }
    }
    if (it.place_ == item::place::nowhere) queue_.push(it);
    if (options_.on_full != full_policy::drop_oldest) return;
    while (over_limit() && it.place_ != item::place::nowhere) drop_least(it, out);
}

/// Decides for an item that waits in no place. False: its waiter was faster, and withdraw() follows.
bool batch_fsm::settle(item& it, item_state to, outbox& out) {
    if (!it.decide(item_state::waiting, to)) return false;
    ++departed_;
    out.decided.add(it);
    return true;
}

void batch_fsm::follow(item& leader, item& it) {
    if (leader.group_ == nullptr) leader.group_ = new key_group{&leader, {}};
    it.group_ = leader.group_;
    it.group_->followers.push_back(it);
    it.place_ = item::place::following;
    ++following_;
    if (leader.place_ == item::place::queue) queue_.join(leader, it);
}

void batch_fsm::unfollow(item& it) {
    it.group_->followers.remove(it);
    it.group_ = nullptr;
    it.place_ = item::place::nowhere;
    --following_;
}

/// Takes a leader out of the queue; when somebody else waits for its key, the first of them takes its place there.
void batch_fsm::unqueue(item& it) {
    if (item* const heir = heir_of(it)) {
        queue_.replace(it, *heir);
        return;
    }
    queue_.remove(it);
    forced_ = std::min(forced_, queue_.size());
}

/// Who leads the key of `it` from now on; null, and the key is no longer in flight, when nobody follows.
item* batch_fsm::heir_of(item& it) {
    if (it.key == 0) return nullptr;
    keys_.erase(it);
    std::unique_ptr<key_group> group(std::exchange(it.group_, nullptr));
    if (group == nullptr || group->followers.empty()) return nullptr;
    item& heir = *group->followers.front();
    group->followers.remove(heir);
    --following_;
    keys_.insert(heir);
    group.release()->leader = &heir;
    return &heir;
}

void batch_fsm::drop_least(item& newest, outbox& out) {
    item* victim = queue_.least();
    if (victim == nullptr) victim = newest.group_->followers.front();  // all of them wait for keys that run
    if (victim->place_ == item::place::queue) {
        unqueue(*victim);
    } else {
        unfollow(*victim);
    }
    if (settle(*victim, item_state::dropped, out)) ++counters_.dropped;
}

void batch_fsm::withdraw(item& it, outbox& out) {
    if (it.place_ == item::place::queue) unqueue(it);
    if (it.place_ == item::place::following) unfollow(it);
    ++departed_;
    ++counters_.cancelled;
    out.decided.add(it);
}

bool batch_fsm::full() const noexcept {
    return queue_.size() >= options_.max_batch_size ||
           (options_.max_batch_weight != 0 && queue_.weight() >= options_.max_batch_weight);
}

batch_fsm::step batch_fsm::next(ns now) const {
    step s;
    const bool place = running_ < limit_.limit();
    s.wants_arrivals = place || options_.cache_size != 0;
    if (!place || queue_.empty()) return s;
    if (full()) {
        s.why = reason::size;
    } else if (closing_) {
        s.why = reason::drain;
    } else if (forced_ != 0) {
        s.why = reason::quiescent;
    } else if (options_.batch_wait_timeout > ns{0}) {
        s.at = queue_.oldest() + options_.batch_wait_timeout;
        if (s.at > now) return s;
        s.why = reason::timeout;
    } else if (queue_.held() == queue_.size()) {
        return s;
    }
    s.at = bucket_ ? bucket_->ready_at(1.0, now) : now;
    s.dispatch = s.at <= now;
    if (!s.dispatch) s.wants_arrivals = options_.cache_size != 0;  // tokens decide, not items
    if (s.dispatch) s.at = ns::max();
    return s;
}

std::size_t batch_fsm::room_by_tokens(ns now) const {
    if (!bucket_ || !options_.rate_limit.per_item) return options_.max_batch_size;
    const double level = std::floor(bucket_->level(now));
    return level < 1.0 ? 1 : static_cast<std::size_t>(std::min(level, static_cast<double>(options_.max_batch_size)));
}

bool batch_fsm::take(ns now, running_batch& b, outbox& out) {
    const reason why = next(now).why;
    b.has_keys = b.has_deadlines = b.failed = b.late = b.demand = false;
    const std::size_t room = std::min(options_.max_batch_size, room_by_tokens(now));
    const auto max_weight = options_.max_batch_weight;
    std::uint64_t weight = 0;
    while (b.items.size() < room) {
        item* const it = queue_.front();
        if (it == nullptr) break;
        const bool too_heavy = max_weight != 0 && it->weight > max_weight;
        if (too_heavy || it->deadline <= now) {
            unqueue(*it);
            const bool decided = settle(*it, too_heavy ? item_state::too_heavy : item_state::timed_out, out);
            if (decided) ++(too_heavy ? counters_.refused : counters_.timed_out);
            continue;
        }
        if (max_weight != 0 && weight + it->weight > max_weight) break;
        // Its links are free before it runs: from then on its waiter may be delivered at any time.
        queue_.remove(*it);
        if (!it->decide(item_state::waiting, item_state::running)) {
            if (item* const heir = heir_of(*it)) queue_.push_front(*heir, *it);  // given up: withdraw() follows
            continue;
        }
        weight += it->weight;
        enter_batch(*it, now, b);
    }
    forced_ = std::min(forced_ - std::min(forced_, b.items.size()), queue_.size());
    if (b.items.empty()) return false;
    if (bucket_) bucket_->try_take(tokens_for(b.items.size()), now);
    b.size = b.items.size();
    b.started = now;
    b.next = std::exchange(first_running_, &b);
    if (b.next != nullptr) b.next->previous = &b;
    ++running_;
    b.demand = !queue_.empty() && running_ >= limit_.limit();
    ++counters_.batches;
    counters_.items += b.items.size();
    ++counters_.dispatched[static_cast<std::size_t>(why)];
    sizes_.record(static_cast<std::int64_t>(b.items.size()));
    return true;
}

void batch_fsm::enter_batch(item& it, ns now, running_batch& b) {
    it.place_ = item::place::batch;
    ++departed_;
    b.has_keys |= it.key != 0;
    b.has_deadlines |= it.deadline != ns::max();
    b.items.push_back(&it);
    wait_.record((now - it.arrived_).count());
}

void batch_fsm::finish(running_batch& b, ns now, outbox& out) {
    (b.previous != nullptr ? b.previous->next : first_running_) = b.next;
    if (b.next != nullptr) b.next->previous = b.previous;
    b.next = b.previous = nullptr;
    const bool demand = b.demand || (!queue_.empty() && running_ >= limit_.limit());
    --running_;
    service_.record((now - b.started).count());
    if (b.failed) ++counters_.failed_batches;
    limit_.on_batch({b.size, b.started, now, demand, b.failed || b.late});
    if (!b.has_keys) return;
    for (item* it : b.items) {
        if (it->key == 0) continue;
        keys_.erase(*it);
        if (it->group_ != nullptr) share_with_followers(*it, out);
    }
    for (auto& kept : b.kept) cache_.insert(std::move(kept), now);
    b.kept.clear();
}

void batch_fsm::share_with_followers(item& leader, outbox& out) {
    const std::unique_ptr<key_group> group(std::exchange(leader.group_, nullptr));
    while (item* const it = group->followers.front()) {
        unfollow(*it);
        if (!it->decide(item_state::waiting, item_state::done)) continue;
        ++departed_;
        out.shares.push_back({&leader, it});
    }
}

void batch_fsm::close(stop_mode mode, outbox& out) {
    closing_ = true;
    if (mode == stop_mode::drain) return;
    const auto give_up = [&](item& it) {
        if (settle(it, item_state::cancelled, out)) ++counters_.cancelled;
    };
    // An heir takes its leader's place in the queue: again until it is empty.
    while (item* const it = queue_.front()) {
        unqueue(*it);
        give_up(*it);
    }
    for (running_batch* b = first_running_; b != nullptr; b = b->next) {
        if (!b->has_keys) continue;
        for (item* leader : b->items) {
            while (leader->group_ != nullptr && !leader->group_->followers.empty()) {
                item& it = *leader->group_->followers.front();
                unfollow(it);
                give_up(it);
            }
        }
    }
}

void batch_fsm::sweep(ns now, outbox& out) {
    next_deadline_ = ns::max();
    const auto late = [&](item& it) {
        if (it.deadline > now) {
            note_deadline(it);
            return;
        }
        unqueue(it);
        if (settle(it, item_state::timed_out, out)) ++counters_.timed_out;
    };
    queue_.for_each([&](item& it) {
        if (it.group_ != nullptr) sweep_followers(*it.group_, now, out);  // first: an heir must be in time
        late(it);
    });
    for (running_batch* b = first_running_; b != nullptr; b = b->next) {
        if (!b->is_private()) sweep_running(*b, now, out);
    }
    // A sweep looks at everybody: with many waiters the next one leaves more time.
    const ns pause = std::max<ns>(std::chrono::milliseconds{1}, ns{100} * static_cast<ns::rep>(waiting()));
    if (next_deadline_ != ns::max()) next_deadline_ = std::max(next_deadline_, now + pause);
}

void batch_fsm::sweep_followers(key_group& group, ns now, outbox& out) {
    for (item *it = group.followers.front(), *rest = nullptr; it != nullptr; it = rest) {
        rest = item_list::after(*it);
        if (it->deadline > now) {
            note_deadline(*it);
            continue;
        }
        unfollow(*it);
        if (settle(*it, item_state::timed_out, out)) ++counters_.timed_out;
    }
}

void batch_fsm::sweep_running(running_batch& b, ns now, outbox& out) {
    for (item* it : b.items) {
        if (it->group_ != nullptr) sweep_followers(*it->group_, now, out);
        if (it->state() != item_state::running) continue;
        if (it->deadline > now) {
            note_deadline(*it);
        } else if (it->detach(item_state::timed_out)) {
            ++counters_.timed_out;
            b.late = true;
            out.decided.add(*it);
        }
    }
    if (b.late) limit_.on_late(b.started, now);
}

void batch_fsm::prime(kept_result result, ns now) {
    cache_.insert(std::move(result), now);
}

void batch_fsm::read_stats(ns now, batch_stats& out) const {
    out.counters = counters_;
    out.waiting = std::min(waiting(), options_.max_queue_size);
    out.waiting_for_room = waiting() - out.waiting;
    out.held = queue_.held();
    out.running_batches = running_;
    out.concurrency_limit = limit_.limit();
    out.cached = cache_.size();
    out.tokens = bucket_ ? bucket_->level(now) : 0.0;
    out.saturation = static_cast<double>(running_) / static_cast<double>(out.concurrency_limit);
    out.sizes = sizes_;
    out.wait = wait_;
    out.service = service_;
}

const char* name_of(reason why) noexcept {
    switch (why) {
        case reason::size: return "size";
        case reason::timeout: return "timeout";
        case reason::idle: return "idle";
        case reason::quiescent: return "quiescent";
        case reason::drain: return "drain";
    }
    return "";
}

}  // namespace headrace::batch
