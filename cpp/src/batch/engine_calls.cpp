// What users of an engine call.
#include "engine_core.hpp"
#include "engine_runner.hpp"

namespace headrace::batch {

/// Delivers the chain in this call; answers how many they were.
std::size_t engine::core::refuse(item* chain, item_state why) {
    delivery back;
    while (chain != nullptr) {
        item& it = *std::exchange(chain, chain->next);
        it.state_.store(static_cast<std::uint8_t>(why), std::memory_order_release);
        back.add(it);
    }
    const std::size_t n = back.size();
    back.deliver();
    return n;
}

void engine::core::submit(item& first) {
    if (forked()) {
        refuse(&first, item_state::forked);
        return;
    }
    const ns now = monotonic_now();
    item* last = &first;
    std::size_t n = 0;
    ns earliest = ns::max();
    for (item* it = &first; it != nullptr; it = it->next) {
        item_access::enter(*it, now);
        earliest = std::min(earliest, it->deadline);
        last = it;
        ++n;
    }
    const std::size_t max = max_queue_size_.load(std::memory_order_relaxed);
    const std::size_t depth = depth_.fetch_add(n) + n;
    const auto policy = on_full_.load(std::memory_order_relaxed);
    if (depth > max && policy == full_policy::reject) [[unlikely]] {
        const std::size_t excess = std::min(n, depth - max);
        depth_.fetch_sub(excess);
        item* rest = &first;
        for (std::size_t i = 0; i < n - excess; ++i) rest = (last = rest)->next;
        if (n != excess) last->next = nullptr;
        rejected_.fetch_add(refuse(rest, item_state::refused), std::memory_order_relaxed);
        if (n == excess) return;
        n -= excess;
    }
    const auto entered = ingress_.push(&first, last);  // the items are the engine's from here on
    if (entered == ingress::entered::closed) {
        depth_.fetch_sub(n);
        last->next = nullptr;
        refused_.fetch_add(refuse(&first, item_state::closed), std::memory_order_relaxed);
        return;
    }
    if (earliest != ns::max()) ring_by(earliest);
    if (entered == ingress::entered::call_engine || (depth > max && policy == full_policy::drop_oldest)) pass();
}

bool engine::core::cancel(item& it) {
    if (forked()) return false;
    acting_.fetch_add(1);  // before the decision: nobody may call the engine stopped until the item is delivered
    bool won = true;
    if (it.decide(item_state::waiting, item_state::cancelled)) {
        it.next_withdrawn_ = withdrawn_.load(std::memory_order_relaxed);
        while (!withdrawn_.compare_exchange_weak(it.next_withdrawn_, &it, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed)) {
        }
        pass();
    } else if (it.detach(item_state::cancelled)) {
        cancelled_running_.fetch_add(1, std::memory_order_relaxed);
        delivery back;
        back.add(it);
        back.deliver();
    } else {
        won = false;
    }
    end_act();
    return won;
}

void engine::core::flush() {
    if (forked()) return;
    flush_.store(true);
    pass();
}

void engine::core::configure(const batch_options& options) {
    max_queue_size_.store(options.max_queue_size, std::memory_order_relaxed);
    on_full_.store(options.on_full, std::memory_order_relaxed);
    spin_.store(options.spin.count(), std::memory_order_relaxed);
    caching_.store(options.cache_size != 0, std::memory_order_relaxed);
    delete new_options_.exchange(new batch_options(options));
    pass();
    if (room_waiters_.load() == 0) return;
    const lock_guard hold(m_);
    room_.notify_all();
}

void engine::core::shutdown(stop_mode mode, std::function<void()> stopped) {
    if (forked()) return;
    bool already = false;
    {
        const lock_guard hold(m_);
        already = stopped_;
        if (!already) on_stopped_.push_back(std::move(stopped));
    }
    if (already) {
        if (stopped) stopped();
        return;
    }
    const int wanted = mode == stop_mode::cancel ? cancelling : draining;
    int now = closing_.load();
    while (now < wanted && !closing_.compare_exchange_weak(now, wanted)) {
    }
    pass();
    const lock_guard hold(m_);
    room_.notify_all();
}

bool engine::core::wait_stopped(ns timeout) {
    if (forked()) return true;
    const ns start = monotonic_now();
    const lock_guard hold(m_);
    while (!stopped_) {
        const ns left = timeout - (monotonic_now() - start);
        if (left <= ns{0}) return false;
        stop_.wait_for(m_, std::min<ns>(left, std::chrono::hours{1}));
    }
    return true;
}

bool engine::core::wait_room(ns timeout) {
    if (forked() || has_room()) return true;
    const ns start = monotonic_now();
    room_waiters_.fetch_add(1);
    bool room = false;
    {
        const lock_guard hold(m_);
        while (!(room = has_room() || closed())) {
            const ns left = timeout - (monotonic_now() - start);
            if (left <= ns{0}) break;
            room_.wait_for(m_, std::min<ns>(left, std::chrono::hours{1}));
        }
    }
    room_waiters_.fetch_sub(1);
    return room;
}

batch_stats engine::core::stats() {
    batch_stats now;
    if (forked()) return now;
    pass_waiting([&] { fsm_.read_stats(monotonic_now(), now); });
    now.counters.rejected += rejected_.load(std::memory_order_relaxed);
    now.counters.refused += refused_.load(std::memory_order_relaxed);
    now.counters.cancelled += cancelled_running_.load(std::memory_order_relaxed);
    return now;
}

batch_options engine::core::options() {
    batch_options now;
    pass_waiting([&] { now = fsm_.options(); });
    return now;
}

void engine::core::prime(kept_result result) {
    if (!forked()) pass_waiting([&] { fsm_.prime(std::move(result), monotonic_now()); });
}
void engine::core::forget(std::uint64_t key) {
    if (!forked()) pass_waiting([&] { fsm_.forget(key); });
}
void engine::core::forget_all() {
    if (forked()) return;
    decltype(fsm_.forget_all()) dropped;  // ends after the others may decide again
    pass_waiting([&] { dropped = fsm_.forget_all(); });
}

}  // namespace headrace::batch
