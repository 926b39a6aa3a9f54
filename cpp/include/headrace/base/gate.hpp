// Stopping as an object: refuse new work, then wait for what is inside.
//
// Threads:  every function from any thread. close() and wait() may be called while others enter and leave.
// Lifetime: must outlive every pass; destroy it only after wait() has returned.
// Errors:   none; a closed gate gives an empty pass.   Stop: close() and then wait().
#pragma once

#include <cstddef>
#include <headrace/base/clock.hpp>
#include <headrace/base/mutex.hpp>
#include <utility>

namespace headrace {

class gate {
public:
    /// Proof of being inside; leaves when destroyed. False when the gate was closed.
    class pass {
    public:
        pass() noexcept = default;
        pass(pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        pass& operator=(pass&& other) noexcept {
            if (this != &other) {
                leave();
                gate_ = std::exchange(other.gate_, nullptr);
            }
            return *this;
        }
        ~pass() { leave(); }
        explicit operator bool() const noexcept { return gate_ != nullptr; }
        void leave() noexcept {
            if (gate_ != nullptr) std::exchange(gate_, nullptr)->leave();
        }

    private:
        friend class gate;
        explicit pass(gate* g) noexcept : gate_(g) {}
        gate* gate_ = nullptr;
    };

    gate() = default;
    gate(const gate&) = delete;
    gate& operator=(const gate&) = delete;

    /// An empty pass once closed.
    [[nodiscard]] pass enter() { return try_enter() ? pass(this) : pass(); }

    /// For callers that leave() on another path than the one that entered. Every true needs exactly one leave().
    [[nodiscard]] bool try_enter() HEADRACE_EXCLUDES(m_);
    void leave() noexcept HEADRACE_EXCLUDES(m_);

    /// Refuses new work from now on. Idempotent; does not wait.
    void close() noexcept HEADRACE_EXCLUDES(m_);

    /// Returns when closed and empty.
    void wait() HEADRACE_EXCLUDES(m_);

    /// False when `timeout` passed before it was closed and empty.
    bool wait_for(ns timeout) HEADRACE_EXCLUDES(m_);

    bool closed() const HEADRACE_EXCLUDES(m_);
    std::size_t inside() const HEADRACE_EXCLUDES(m_);

private:
    bool done() const HEADRACE_REQUIRES(m_) { return closed_ && inside_ == 0; }

    mutable mutex m_;
    condition empty_;
    std::size_t inside_ HEADRACE_GUARDED_BY(m_) = 0;
    bool closed_ HEADRACE_GUARDED_BY(m_) = false;
};

}  // namespace headrace
