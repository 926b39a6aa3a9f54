// A task that says what became of it.
#pragma once

#include <atomic>
#include <functional>
#include <headrace/exec/task.hpp>
#include <latch>
#include <thread>

namespace headrace::exec {

class scripted_task final : public task {
public:
    scripted_task() = default;
    explicit scripted_task(std::function<void()> work) : work_(std::move(work)) {}

    void run() noexcept override {
        if (work_) work_();
        ++runs;
        ++ended;
    }
    void refused(const failure& reason) noexcept override {
        why = reason;
        ++refusals;
        ++ended;
    }
    void wait() const noexcept {
        while (ended == 0) std::this_thread::yield();
    }

    std::atomic<int> runs{0};
    std::atomic<int> refusals{0};
    std::atomic<int> ended{0};
    failure why;  // read it after wait()

private:
    std::function<void()> work_;
};

/// Occupies a worker until it is opened.
struct blocked_worker {
    std::latch begun{1}, open{1};
    scripted_task task{[this] {
        begun.count_down();
        open.wait();
    }};
};

}  // namespace headrace::exec
