#include <headrace/base/mutex.hpp>
#include <headrace/measure/workers.hpp>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace headrace::measure {
namespace {

class shared_loop {
public:
    shared_loop(std::size_t items, const std::atomic<bool>& cancel, const work_item& work)
        : items_(items), cancel_(cancel), work_(work) {}

    void run(std::size_t worker) {
        while (!stopped_.load(std::memory_order_relaxed)) {
            const std::size_t item = next_.fetch_add(1, std::memory_order_relaxed);
            if (item >= items_) return;
            if (failure f = cancel_.load(std::memory_order_relaxed) ? cancelled() : guarded(worker, item))
                stop(std::move(f));
        }
    }

    failure result() {
        lock_guard lock(m_);
        return std::move(first_);
    }

private:
    failure guarded(std::size_t worker, std::size_t item) {
        try {
            return work_(worker, item);
        } catch (const std::bad_alloc&) {
            return failure::of(errc::io_error, "out of memory while joining; give a smaller memory limit");
        }
    }

    void stop(failure f) {
        lock_guard lock(m_);
        // A thread that gives up because of another's failure says "cancelled": not what people want to read.
        if (!first_ || first_.code == errc::cancelled) first_ = std::move(f);
        stopped_.store(true, std::memory_order_relaxed);
    }

    std::size_t items_;
    const std::atomic<bool>& cancel_;
    const work_item& work_;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> stopped_{false};
    mutex m_;
    failure first_ HEADRACE_GUARDED_BY(m_);
};

}  // namespace

failure share_out(std::size_t items, std::size_t workers, const std::atomic<bool>& cancel, const work_item& work) {
    shared_loop loop(items, cancel, work);
    std::vector<std::thread> threads;
    try {
        for (std::size_t w = 1; w < workers && w < items; ++w) threads.emplace_back([&loop, w] { loop.run(w); });
    } catch (const std::system_error&) {
        // No more threads to be had: those that run share the work.
    }
    loop.run(0);
    for (std::thread& t : threads) t.join();
    return loop.result();
}

failure cancelled() {
    return failure::of(errc::cancelled, "cancelled");
}

}  // namespace headrace::measure
