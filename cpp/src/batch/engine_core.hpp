// The shell around batch_fsm: who may decide, who runs a batch, what is handed over afterwards.
//
// A thread that enters collects, decides and writes down what follows (`work`); it acts on it after it has left. So user code,
// sinks, the pool and the alarm are never called by a thread that others wait for.
#pragma once

#include <atomic>
#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/batch/batch_fsm.hpp>
#include <headrace/batch/combiner.hpp>
#include <headrace/batch/engine.hpp>
#include <headrace/batch/ingress.hpp>
#include <headrace/batch/spin_budget.hpp>
#include <headrace/net/alarm.hpp>
#include <mutex>

namespace headrace::batch {

struct batch_run {
    running_batch batch;
    std::shared_ptr<engine::core> owner;  // of an asynchronous one, while it runs
    batch_run* next_done = nullptr;
};

class engine::core final : public std::enable_shared_from_this<engine::core> {
public:
    core(const batch_options& options, std::shared_ptr<batch_function> function,
         std::shared_ptr<exec::thread_pool> pool);
    ~core();

    void submit(item& first);
    bool cancel(item& it);
    void flush();
    void configure(const batch_options& options);
    void shutdown(stop_mode mode, std::function<void()> stopped);
    bool wait_stopped(ns timeout);
    bool wait_room(ns timeout);
    bool has_room() const noexcept { return depth_.load() < max_queue_size_.load(std::memory_order_relaxed); }
    bool closed() const noexcept { return closing_.load(std::memory_order_acquire) != not_closing || forked(); }
    bool forked() const noexcept { return fork_generation() != generation_; }
    batch_stats stats();
    batch_options options();
    void prime(kept_result result);
    void forget(std::uint64_t key);
    void forget_all();

    void finished(batch_run* run) noexcept;  // an asynchronous batch has ended
    batch_function& function() noexcept { return *function_; }

private:
    struct runner;
    struct frame;

    /// What follows from decisions.
    struct work {
        outbox out;
        std::vector<batch_run*> done;     // batches whose items are to be completed
        std::vector<batch_run*> started;  // asynchronous batches to be started
        runner* start = nullptr;          // to be given to the pool
        ns ring_by = ns::max();
        std::size_t departed = 0;
        bool stopped = false;
    };

    static constexpr int not_closing = 0, draining = 1, cancelling = 2;

    std::size_t refuse(item* chain, item_state why);
    void pass();
    template <class F>
    void pass_waiting(F&& with_fsm);
    void enter_waiting() noexcept;
    void decide(work& w, runner* r);
    void decide_and_act(work& w);
    void collect(work& w, ns now);
    void apply_closing(work& w, ns now);
    bool dispatch(work& w, runner* r, ns now);
    void rest(runner& r, bool yields);
    runner* new_runner();
    void finish_own(runner& r, work& w, ns now);
    void retire(runner& r) noexcept;
    void note_stop(work& w);
    void act(work& w) noexcept;
    void share_results(work& w) noexcept;
    void settle(batch_run& run, delivery& to) noexcept;
    void start(batch_run* run) noexcept;
    void end_act();
    void tell_stopped();
    void run_batches(runner& r);
    void execute(batch_run& run) noexcept;
    void deliver_early(runner& r) noexcept;
    void keep_results(running_batch& b) noexcept;
    bool spin() noexcept;
    void runner_refused(runner& r, const failure& why);
    void ring_by(ns when);

    const std::shared_ptr<batch_function> function_;
    const std::shared_ptr<exec::thread_pool> pool_;  // null for asynchronous functions
    const std::uint32_t generation_ = fork_generation();

    // Where others leave word.
    ingress ingress_;
    alignas(64) std::atomic<std::size_t> depth_{0};  // items that wait, in the entrance or inside
    std::atomic<std::size_t> max_queue_size_;
    std::atomic<full_policy> on_full_;
    alignas(64) std::atomic<item*> withdrawn_{nullptr};
    std::atomic<batch_run*> done_{nullptr};
    std::atomic<batch_options*> new_options_{nullptr};
    std::atomic<bool> flush_{false};
    std::atomic<int> closing_{not_closing};
    std::atomic<std::size_t> lost_runners_{0};  // the pool refused them
    std::atomic<std::uint64_t> rejected_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> cancelled_running_{0};
    std::atomic<std::size_t> acting_{0};  // threads that decide or act; while there are any, it is not stopped
    std::atomic<bool> stop_pending_{false};
    std::atomic<bool> poke_{false};  // for the one that spins
    std::atomic<ns::rep> spin_;
    std::atomic<bool> caching_;
    std::atomic<runner*> spare_{nullptr};

    // The holder's.
    combiner combiner_;
    batch_fsm fsm_;
    std::size_t searching_ = 0;  // runners that were started or spin, without a batch
    int closed_as_ = not_closing;
    bool stop_told_ = false;

    std::atomic<std::size_t> room_waiters_{0};
    mutable mutex m_;
    condition room_;
    condition stop_;
    bool stopped_ HEADRACE_GUARDED_BY(m_) = false;
    std::vector<std::function<void()>> on_stopped_ HEADRACE_GUARDED_BY(m_);

    std::once_flag alarm_made_;
    std::unique_ptr<net::alarm> alarm_;
};

}  // namespace headrace::batch
