// One alarm on an I/O thread: it rings at the earliest moment that anybody asked for.
//
// For objects with many deadlines and one timer: they keep the deadlines, the alarm keeps the earliest moment only. Once it
// rang, what was asked before is forgotten; what counts is the answer of `ring` and what is asked later.
// Threads:  ring_by() from any thread and never waits; `ring` runs on the I/O thread, one call at a time.
// Lifetime: what `ring` uses must live until stop() has returned. Keeps the runtime alive.
// Errors:   none; an alarm whose runtime was stopped does not ring.
// Stop:     stop() waits for a call of `ring` that is under way, unless it is called from there.
#pragma once

#include <functional>
#include <headrace/base/clock.hpp>
#include <headrace/net/runtime.hpp>
#include <memory>

namespace headrace::net {

class alarm {
public:
    static constexpr ns never = ns::max();
    /// Answers when it wants to be called again; `never`: not before somebody asks.
    using callback = std::function<ns(ns now)>;

    alarm(std::shared_ptr<runtime> runtime, callback ring);
    ~alarm();
    alarm(const alarm&) = delete;
    alarm& operator=(const alarm&) = delete;

    /// Costs a load when it is set to ring by then anyway.
    void ring_by(ns when);
    /// The moment it is set for, or `never`. For information: it may ring at the same time.
    ns set_for() const noexcept;
    void stop();

private:
    class core;
    std::shared_ptr<core> core_;
};

}  // namespace headrace::net
