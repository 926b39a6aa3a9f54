// std::mutex with clang's thread-safety annotations (libstdc++'s own carries none).
// Every guarded member names its lock: `std::size_t inside_ HEADRACE_GUARDED_BY(m_){0};`
// Lock order: docs/lock-order.md.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define HEADRACE_ANNOTATE(x) __attribute__((x))
#else
#define HEADRACE_ANNOTATE(x)
#endif
#define HEADRACE_GUARDED_BY(m) HEADRACE_ANNOTATE(guarded_by(m))
#define HEADRACE_REQUIRES(...) HEADRACE_ANNOTATE(requires_capability(__VA_ARGS__))
#define HEADRACE_EXCLUDES(...) HEADRACE_ANNOTATE(locks_excluded(__VA_ARGS__))

namespace headrace {

class HEADRACE_ANNOTATE(capability("mutex")) mutex {
public:
    void lock() HEADRACE_ANNOTATE(acquire_capability()) { m_.lock(); }
    void unlock() HEADRACE_ANNOTATE(release_capability()) { m_.unlock(); }
    bool try_lock() HEADRACE_ANNOTATE(try_acquire_capability(true)) { return m_.try_lock(); }

private:
    std::mutex m_;
};

/// Scoped lock; unlock() early when the rest must not hold it.
class HEADRACE_ANNOTATE(scoped_lockable) lock_guard {
public:
    explicit lock_guard(mutex& m) HEADRACE_ANNOTATE(acquire_capability(m)) : m_(m) { m_.lock(); }
    ~lock_guard() HEADRACE_ANNOTATE(release_capability()) {
        if (held_) m_.unlock();
    }
    void unlock() HEADRACE_ANNOTATE(release_capability()) {
        held_ = false;
        m_.unlock();
    }
    lock_guard(const lock_guard&) = delete;
    lock_guard& operator=(const lock_guard&) = delete;

private:
    mutex& m_;
    bool held_ = true;
};

/// Waits with the mutex held; the predicate is the caller's loop.
class condition {
public:
    void wait(mutex& m) HEADRACE_REQUIRES(m) { cv_.wait(m); }
    /// False when `timeout` passed first.
    bool wait_for(mutex& m, std::chrono::nanoseconds timeout) HEADRACE_REQUIRES(m) {
        return cv_.wait_for(m, timeout) == std::cv_status::no_timeout;
    }
    void notify_one() noexcept { cv_.notify_one(); }
    void notify_all() noexcept { cv_.notify_all(); }

private:
    std::condition_variable_any cv_;
};

}  // namespace headrace
