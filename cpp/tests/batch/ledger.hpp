// Random traffic through an engine, with an account of what became of every item. The unit test and the soak share it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <headrace/batch/engine.hpp>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

namespace headrace::batch {

struct ledger_plan {
    std::uint64_t items = 300'000;
    unsigned producers = 3;
    std::uint64_t keys = 0;  ///< every second item has one of so many keys; 0: none
    bool asynchronous = false;
    std::uint64_t stop_after = 0;  ///< shut down when so many were submitted; 0: at the end, by drain
    stop_mode stop = stop_mode::drain;
    unsigned seed = 1;
    batch_options options;
};

struct ledger_counts {
    std::uint64_t submitted = 0, completed = 0, twice = 0, wrong = 0, unreleased = 0;
    std::uint64_t done = 0, failed = 0, cancelled = 0, timed_out = 0, refused = 0, closed = 0;
    batch_counters stats;
};

namespace ledger {

constexpr std::uint64_t no_result = ~0ULL;

struct entry final : item {
    std::uint64_t request = 0;
    std::uint64_t result = no_result;
    bool failed = false;
    std::atomic<std::uint8_t> delivered{0};
    std::atomic<bool> over{false};  // nobody uses it any more

    static entry& of(item& it) noexcept { return static_cast<entry&>(it); }
    static const entry& of(const item& it) noexcept { return static_cast<const entry&>(it); }
};

inline std::uint64_t answer(std::uint64_t request) {
    return request * 3 + 1;
}

struct account final : sink {
    void deliver(item* chain) noexcept override {
        while (chain != nullptr) {
            entry& e = entry::of(*std::exchange(chain, chain->next));
            const item_state state = e.state();
            if (state == item_state::done && !e.failed && e.result != answer(e.request)) ++wrong;
            ++by_state[static_cast<std::size_t>(state)];
            if (state == item_state::done && e.failed) ++failed;
            if (e.delivered.fetch_add(1) != 0) ++twice;
            ++completed;
            if (e.drop()) e.over = true;
        }
    }
    void recycle(item& it) noexcept override {
        if (entry::of(it).over.exchange(true)) ++twice;
    }
    std::atomic<std::uint64_t> completed{0}, twice{0}, wrong{0}, failed{0};
    std::array<std::atomic<std::uint64_t>, 16> by_state{};
};

/// Answers; now and then one item fails, or the whole batch.
class unreliable : public batch_function {
public:
    void run(std::span<item* const> items) override {
        const std::uint64_t turn = turns_.fetch_add(1);
        if (turn % 50 == 49) throw std::runtime_error("the whole batch");
        for (item* it : items) {
            entry& e = entry::of(*it);
            e.failed = e.request % 97 == 0;
            if (!e.failed) e.result = answer(e.request);
        }
    }
    void fail(item& it, const std::exception_ptr&) noexcept override { entry::of(it).failed = true; }
    void share(const item& from, item& to) override {
        const entry& f = entry::of(from);
        entry::of(to).failed = f.failed;
        if (!f.failed) entry::of(to).result = f.result;
    }
    kept_result keep(const item& it) override {
        if (entry::of(it).failed) return nullptr;
        const auto kept = std::make_shared<entry>();
        kept->key = it.key;
        kept->result = entry::of(it).result;
        return kept;
    }

private:
    std::atomic<std::uint64_t> turns_{0};
};

/// The same, on threads of its own; some batches are dropped unanswered.
class elsewhere final : public unreliable {
public:
    elsewhere() {
        for (auto& t : threads_) t = std::thread([this] { work(); });
    }
    /// Not the destructor's: the last owner may be one of the threads.
    void join() {
        {
            const std::lock_guard hold(m_);
            stop_ = true;
        }
        for (auto& t : threads_) t.join();
    }
    bool is_async() const noexcept override { return true; }
    void start(batch_handle&& handle) override {
        const std::lock_guard hold(m_);
        todo_.push_back(std::move(handle));
    }

private:
    void work() {
        for (std::uint64_t n = 0;; ++n) {
            batch_handle handle;
            {
                const std::lock_guard hold(m_);
                if (todo_.empty() && stop_) return;
                if (!todo_.empty()) {
                    handle = std::move(todo_.back());
                    todo_.pop_back();
                }
            }
            if (!handle) {
                std::this_thread::yield();
                continue;
            }
            if (n % 61 == 60) continue;
            try {
                run(handle.items());
                handle.complete();
            } catch (...) {
                handle.fail(std::current_exception());
            }
        }
    }
    std::mutex m_;
    std::vector<batch_handle> todo_;
    bool stop_ = false;
    std::array<std::thread, 2> threads_;
};

/// One producer's random traffic over its own entries.
inline void produce(engine& to, account& sink, std::vector<std::unique_ptr<entry>>& mine, const ledger_plan& plan,
                    unsigned number, std::atomic<std::uint64_t>& submitted) {
    std::minstd_rand random(plan.seed * 7919 + number);
    std::vector<entry*> recent(64, nullptr);
    std::size_t made = 0;
    while (made < mine.size()) {
        entry* first = nullptr;
        entry* last = nullptr;
        const std::size_t chain = std::min<std::size_t>(random() % 8 == 0 ? 1 + random() % 20 : 1, mine.size() - made);
        for (std::size_t i = 0; i < chain; ++i) {
            entry& e = *(mine[made] = std::make_unique<entry>());
            e.sink = &sink;
            e.request = (static_cast<std::uint64_t>(number) << 40) + made;
            if (plan.keys != 0 && random() % 2 == 0) {
                e.key = 1 + random() % plan.keys;
                e.request = e.key << 50;
            }
            if (random() % 16 == 0) e.deadline = monotonic_now() + std::chrono::microseconds{random() % 200};
            e.priority = static_cast<std::int16_t>(random() % 16 == 0 ? random() % 3 : 0);
            e.held = random() % 16 == 0;
            if (first == nullptr) first = &e;
            if (last != nullptr) last->next = &e;
            last = &e;
            recent[made++ % recent.size()] = &e;
        }
        last->next = nullptr;
        to.submit_chain(*first);
        submitted.fetch_add(chain);
        if (random() % 4 == 0) {
            if (entry* victim = recent[random() % recent.size()]) to.cancel(*victim);
        }
        if (random() % 64 == 0) to.flush();
        while (plan.options.on_full == full_policy::wait && !to.wait_room(std::chrono::seconds{1})) to.flush();
    }
    to.flush();
}

}  // namespace ledger

inline ledger_counts run_ledger(const ledger_plan& plan) {
    using namespace ledger;
    account sink;
    std::vector<std::vector<std::unique_ptr<entry>>> entries(plan.producers);
    std::atomic<std::uint64_t> submitted{0};
    ledger_counts counts;
    const auto others = plan.asynchronous ? std::make_shared<elsewhere>() : nullptr;
    {
        const std::shared_ptr<batch_function> function =
            others ? std::shared_ptr<batch_function>(others) : std::make_shared<unreliable>();
        const auto pool = std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 3});
        engine e(plan.options, function, pool);
        std::vector<std::thread> threads;
        for (unsigned p = 0; p < plan.producers; ++p) {
            entries[p].resize(plan.items / plan.producers + (p < plan.items % plan.producers ? 1 : 0));
            threads.emplace_back([&, p] { produce(e, sink, entries[p], plan, p, submitted); });
        }
        if (plan.stop_after != 0) {
            while (submitted < plan.stop_after) std::this_thread::yield();
            e.shutdown(plan.stop);
        }
        for (auto& t : threads) t.join();
        e.shutdown(plan.stop_after != 0 ? plan.stop : stop_mode::drain);
        e.wait_stopped();
        counts.stats = e.stats().counters;
    }
    if (others) others->join();
    const auto state = [&](item_state s) { return sink.by_state[static_cast<std::size_t>(s)].load(); };
    counts.submitted = submitted;
    counts.completed = sink.completed;
    counts.twice = sink.twice;
    counts.wrong = sink.wrong;
    counts.failed = sink.failed;
    counts.done = state(item_state::done) - counts.failed;
    counts.cancelled = state(item_state::cancelled);
    counts.timed_out = state(item_state::timed_out);
    counts.refused = state(item_state::refused) + state(item_state::dropped);
    counts.closed = state(item_state::closed);
    for (const auto& list : entries) {
        for (const auto& e : list) counts.unreleased += e->over ? 0 : 1;
    }
    return counts;
}

}  // namespace headrace::batch
