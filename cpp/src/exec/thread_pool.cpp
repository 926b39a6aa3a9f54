#include <headrace/exec/thread_pool.hpp>

#include <sched.h>

#include <atomic>
#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/base/parker.hpp>
#include <headrace/base/thread_setup.hpp>
#include <headrace/exec/task_queue.hpp>
#include <headrace/net/alarm.hpp>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace headrace::exec {
namespace {

ns spin_of(const thread_pool_options& options) {
    if (options.spin >= ns{0}) return options.spin;
    return options.threads < usable_cores() ? std::chrono::microseconds{5} : ns{0};
}

/// Threads that may stand in for those that wait.
constexpr std::size_t most_blocked = 1000;

/// Tasks that have left the queue and are refused once the lock is released.
struct task_chain {
    task* first = nullptr;
    task** end = &first;
    void add(task& t) noexcept {
        *end = &t;
        end = &t.next;
    }
};

void refuse(task* chain, errc code, const std::string& why) noexcept {
    if (chain == nullptr) return;
    const auto reason = failure::of(code, why);
    while (chain != nullptr) {
        task* const t = chain;
        chain = t->next;
        t->refused(reason);
    }
}

}  // namespace

std::size_t usable_cores() noexcept {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1U, std::thread::hardware_concurrency());
    return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
}

class thread_pool::core final : public std::enable_shared_from_this<thread_pool::core> {
public:
    explicit core(thread_pool_options options) : options_(std::move(options)), spin_(spin_of(options_)) {}

    failure submit_chain(task* first, task*& rest, ns deadline) {
        rest = first;
        if (forked()) return of(errc::forked, "was made before fork(); make a new one in the child");
        if (deadline != no_deadline && deadline <= monotonic_now())
            return of(errc::timed_out, "the deadline has passed");
        failure why;
        task_chain dropped;
        worker* woken = nullptr;
        {
            const lock_guard hold(m_);
            why = enter(rest, deadline, dropped);
            woken = next_to_wake();
        }
        if (woken != nullptr) woken->idle.unpark();
        refuse(dropped.first, errc::queue_full, options_.name + ": dropped for a newer task");
        if (deadline != no_deadline && rest != first) alarm().ring_by(deadline);
        return why;
    }

    bool cancel(task& t) {
        if (forked()) return false;
        const lock_guard hold(m_);
        if (!queue_.holds(t)) return false;
        queue_.remove(t);
        ++counters_.cancelled;
        queue_shrank();
        return true;
    }

    bool shutdown(stop_mode mode, ns timeout) {
        if (forked()) return true;
        close(mode);
        if (running_here() || !wait_ended(timeout)) return false;
        for (auto& thread : take_threads()) thread.join();
        return true;
    }

    /// The pool goes while this thread is one of its workers: the others end by themselves.
    void detach() {
        for (auto& thread : take_threads()) thread.detach();
    }

    bool closed() const {
        if (forked()) return true;
        const lock_guard hold(m_);
        return closed_;
    }
    bool forked() const noexcept { return fork_generation() != generation_; }
    bool running_here() const noexcept { return here_ == this; }
    static core* here() noexcept { return here_; }

    /// A worker waits for other tasks (n = 1) or has waited (-1).
    void block(int n) noexcept {
        worker* woken = nullptr;
        {
            const lock_guard hold(m_);
            blocked_ += static_cast<std::size_t>(n);
            if (n > 0) woken = next_to_wake();
        }
        if (woken != nullptr) woken->idle.unpark();
    }
    bool tasks_wait() const noexcept { return waiting_.load(std::memory_order_relaxed) != 0; }

    counters stats() const {
        if (forked()) return {};
        const lock_guard hold(m_);
        counters now = counters_;
        now.waiting = queue_.size();
        now.running = running_;
        now.threads = workers_.size() - ended_;
        now.parked = parked_size_;
        now.blocked = blocked_;
        return now;
    }

private:
    struct worker {
        parker idle;
        worker* parked_before = nullptr;
        bool searching = true;  // counted in searching_; whoever starts or wakes a worker counts it
        bool running = false;   // counted in running_
    };
    struct step {
        enum class kind { run, expired, spin, park, stop } what;
        task* t = nullptr;
    };

    failure of(errc code, const char* text) const {
        return failure::of(code, "thread pool " + options_.name + ": " + text);
    }

    failure enter(task*& rest, ns deadline, task_chain& dropped) HEADRACE_REQUIRES(m_) {
        while (rest != nullptr) {
            if (closed_) return of(errc::closed, "shut down, takes no new tasks");
            if (workers_.empty() && !start_worker()) return of(errc::io_error, "the system starts no more threads");
            if (queue_.size() >= options_.max_queue_size) {
                if (auto why = make_room(deadline, dropped)) return why;
                continue;
            }
            task* const t = rest;
            rest = t->next;
            queue_.push(*t, deadline);
            ++counters_.submitted;
            waiting_.store(queue_.size(), std::memory_order_relaxed);
        }
        return {};
    }

    failure make_room(ns deadline, task_chain& dropped) HEADRACE_REQUIRES(m_) {
        if (options_.on_full == full_policy::drop_oldest) {
            dropped.add(*queue_.pop());
            ++counters_.dropped;
            return {};
        }
        if (options_.on_full == full_policy::reject || running_here()) return of(errc::queue_full, "the queue is full");
        if (worker* woken = next_to_wake()) woken->idle.unpark();  // what entered so far must not wait for us
        const ns left = deadline == no_deadline ? std::chrono::hours{1} : deadline - monotonic_now();
        if (left <= ns{0}) return of(errc::timed_out, "no room in the queue before the deadline");
        ++waiting_for_room_;
        room_.wait_for(m_, left);
        --waiting_for_room_;
        return {};
    }

    void queue_shrank() HEADRACE_REQUIRES(m_) {
        waiting_.store(queue_.size(), std::memory_order_relaxed);
        if (waiting_for_room_ != 0) room_.notify_one();
    }

    /// Whom to unpark, when the queue needs a hand that is not looking already. May start a thread instead.
    worker* next_to_wake() HEADRACE_REQUIRES(m_) {
        if (queue_.empty() || searching_ != 0 || active() >= options_.threads) return nullptr;
        if (parked_ == nullptr) {
            if (workers_.size() < options_.threads + most_blocked) start_worker();
            return nullptr;
        }
        return wake_last_parked();
    }

    /// Workers that run or look for tasks; one more than `threads` for each that came back from a wait.
    std::size_t active() const HEADRACE_REQUIRES(m_) { return workers_.size() - ended_ - parked_size_ - blocked_; }

    step park(worker& me) HEADRACE_REQUIRES(m_) {
        stop_searching(me);
        me.parked_before = std::exchange(parked_, &me);
        ++parked_size_;
        return {step::kind::park};
    }

    worker* wake_last_parked() HEADRACE_REQUIRES(m_) {
        worker* const w = parked_;
        parked_ = w->parked_before;
        --parked_size_;
        w->searching = true;
        ++searching_;
        ++counters_.wakes;
        return w;
    }

    bool start_worker() HEADRACE_REQUIRES(m_) {
        auto w = std::make_unique<worker>();
        try {
            threads_.emplace_back([self = shared_from_this(), me = w.get(), number = workers_.size()] {
                self->work(*me, self->options_.name.substr(0, 12) + std::to_string(number));
            });
        } catch (const std::system_error&) {
            return false;  // those that run must do
        }
        workers_.push_back(std::move(w));
        ++searching_;
        return true;
    }

    void work(worker& me, const std::string& name) {
        set_up_thread(name);
        here_ = this;
        if (options_.on_thread_start) options_.on_thread_start();
        for (bool may_spin = spin_ != ns{0};;) {
            const step next = next_step(me, may_spin);
            may_spin = next.what != step::kind::spin && spin_ != ns{0};
            if (next.what == step::kind::run) next.t->run();
            if (next.what == step::kind::expired)
                refuse(next.t, errc::timed_out, options_.name + ": no worker in time");
            if (next.what == step::kind::spin) spin();
            if (next.what == step::kind::park) me.idle.park();
            if (next.what == step::kind::stop) break;
        }
        if (options_.on_thread_stop) options_.on_thread_stop();
        const lock_guard hold(m_);
        ++ended_;
        all_ended_.notify_all();
    }

    step next_step(worker& me, bool may_spin) {
        step next{step::kind::stop};
        worker* woken = nullptr;
        {
            const lock_guard hold(m_);
            if (std::exchange(me.running, false)) --running_;
            next = choose(me, may_spin);
            if (next.t != nullptr) woken = next_to_wake();
        }
        if (woken != nullptr) woken->idle.unpark();
        return next;
    }

    step choose(worker& me, bool may_spin) HEADRACE_REQUIRES(m_) {
        if (active() > options_.threads && !closed_) return park(me);  // the one it stood in for is back
        if (task* t = queue_.pop()) {
            stop_searching(me);
            queue_shrank();
            const ns deadline = task_queue::deadline(*t);
            if (deadline != no_deadline && deadline <= monotonic_now()) {
                ++counters_.timed_out;
                return {step::kind::expired, t};
            }
            me.running = true;
            ++running_;
            ++counters_.run;
            return {step::kind::run, t};
        }
        if (closed_) {
            stop_searching(me);
            return {step::kind::stop};
        }
        if (may_spin) {
            if (!std::exchange(me.searching, true)) ++searching_;
            return {step::kind::spin};
        }
        return park(me);
    }

    void stop_searching(worker& me) HEADRACE_REQUIRES(m_) {
        if (std::exchange(me.searching, false)) --searching_;
    }

    void spin() const noexcept {
        const ns until = monotonic_now() + spin_;
        do {
            for (int i = 0; i < 16; ++i) {
                if (waiting_.load(std::memory_order_relaxed) != 0) return;
                spin_pause();
            }
        } while (monotonic_now() < until);
    }

    void close(stop_mode mode) {
        task_chain given_up;
        std::vector<worker*> woken;
        {
            const lock_guard hold(m_);
            closed_ = true;
            while (parked_ != nullptr) woken.push_back(wake_last_parked());
            while (mode == stop_mode::cancel && !queue_.empty()) {
                given_up.add(*queue_.pop());
                ++counters_.cancelled;
            }
            waiting_.store(1, std::memory_order_relaxed);  // those who spin come and see
            room_.notify_all();
        }
        for (worker* w : woken) w->idle.unpark();
        refuse(given_up.first, errc::cancelled, options_.name + ": the pool was shut down");
    }

    bool wait_ended(ns timeout) {
        const ns start = monotonic_now();
        const lock_guard hold(m_);
        while (ended_ != workers_.size()) {
            const ns left = timeout - (monotonic_now() - start);
            if (left <= ns{0}) return false;
            all_ended_.wait_for(m_, std::min<ns>(left, std::chrono::hours{1}));
        }
        return true;
    }

    std::vector<std::thread> take_threads() {
        const lock_guard hold(m_);
        return std::exchange(threads_, {});
    }

    net::alarm& alarm() {
        std::call_once(alarm_made_, [this] {
            alarm_ = std::make_unique<net::alarm>(net::runtime::shared(), [this](ns now) { return sweep(now); });
        });
        return *alarm_;
    }

    /// On the I/O thread: tasks that no worker gets to still keep their deadline. A long queue is swept less often.
    ns sweep(ns now) {
        task* expired = nullptr;
        ns again = ns::max();
        {
            const lock_guard hold(m_);
            expired = queue_.take_expired(now);
            for (const task* t = expired; t != nullptr; t = t->next) ++counters_.timed_out;
            if (expired != nullptr) queue_shrank();
            const ns pause = std::max<ns>(std::chrono::milliseconds{1}, ns{100} * static_cast<ns::rep>(queue_.size()));
            if (queue_.earliest_deadline() != ns::max()) again = std::max(queue_.earliest_deadline(), now + pause);
        }
        refuse(expired, errc::timed_out, options_.name + ": no worker in time");
        return again;
    }

    static inline thread_local core* here_ = nullptr;

    const thread_pool_options options_;
    const ns spin_;
    const std::uint32_t generation_ = fork_generation();
    std::atomic<std::size_t> waiting_{0};  // queue_.size(), for those who look without the lock

    mutable mutex m_;
    condition room_;
    condition all_ended_;
    task_queue queue_ HEADRACE_GUARDED_BY(m_);
    std::vector<std::unique_ptr<worker>> workers_ HEADRACE_GUARDED_BY(m_);
    std::vector<std::thread> threads_ HEADRACE_GUARDED_BY(m_);
    worker* parked_ HEADRACE_GUARDED_BY(m_) = nullptr;  // a stack: last in, first out
    std::size_t parked_size_ HEADRACE_GUARDED_BY(m_) = 0;
    std::size_t blocked_ HEADRACE_GUARDED_BY(m_) = 0;    // running, and waiting for others
    std::size_t searching_ HEADRACE_GUARDED_BY(m_) = 0;  // woken or spinning, without a task yet
    std::size_t running_ HEADRACE_GUARDED_BY(m_) = 0;
    std::size_t ended_ HEADRACE_GUARDED_BY(m_) = 0;
    std::size_t waiting_for_room_ HEADRACE_GUARDED_BY(m_) = 0;
    bool closed_ HEADRACE_GUARDED_BY(m_) = false;
    counters counters_ HEADRACE_GUARDED_BY(m_);

    std::once_flag alarm_made_;
    std::unique_ptr<net::alarm> alarm_;  // last: goes first
};

failure thread_pool::check(const thread_pool_options& options) {
    if (options.max_queue_size == 0) {
        return failure::of(errc::invalid_argument, "max_queue_size must be at least 1 task");
    }
    return {};
}

thread_pool::thread_pool(thread_pool_options options) {
    if (const auto bad = check(options)) throw std::invalid_argument(bad.message);
    if (options.threads == 0) options.threads = usable_cores();
    core_ = std::make_shared<core>(std::move(options));
}

thread_pool::~thread_pool() {
    if (core_->forked()) {
        // The child has none of the parent's threads, and its locks may be held for ever: the copy is left alone.
        static_cast<void>(new std::shared_ptr<core>(std::move(core_)));
        return;
    }
    if (!core_->shutdown(stop_mode::cancel, ns::max())) core_->detach();
}

failure thread_pool::submit(task& t, ns deadline) {
    task* rest = nullptr;
    t.next = nullptr;
    return submit_chain(&t, rest, deadline);
}
failure thread_pool::submit_chain(task* first, task*& rest, ns deadline) {
    const auto kept = core_;  // what was submitted may drop the pool before this call has returned
    return kept->submit_chain(first, rest, deadline);
}
bool thread_pool::cancel(task& t) {
    return core_->cancel(t);
}
bool thread_pool::shutdown(stop_mode mode, ns timeout) {
    return core_->shutdown(mode, timeout);
}
bool thread_pool::closed() const {
    return core_->closed();
}
bool thread_pool::tasks_wait() const noexcept {
    return core_->tasks_wait();
}
bool thread_pool::running_here() const noexcept {
    return core_->running_here();
}
bool thread_pool::on_worker() noexcept {
    return core::here() != nullptr;
}
void thread_pool::block(int n) noexcept {
    if (auto* here = core::here()) here->block(n);
}
thread_pool::counters thread_pool::stats() const {
    return core_->stats();
}

}  // namespace headrace::exec
