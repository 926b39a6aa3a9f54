// Units that wait while they run: C++20 coroutines.
//
//     unit<int> total = g.submit([](unit_context& here) -> unit_task<int> {
//         co_await here.sleep(1ms);                        // a timer, no thread
//         unit<int> a = here.submit(load, 7);              // the graph grows
//         co_return co_await a + 1;                        // a unit; its failure is thrown
//     });
//
// co_await throws unit_failed (also when the awaited unit was cancelled or the wait would close a cycle), or what the awaited
// unit's function threw; unit_cancelled once this unit itself was cancelled: let it pass.
// Threads:  a body runs on one worker at a time, after a wait perhaps on another one.
// Lifetime: the function object and its arguments live until the body has ended.
// Errors:   an exception that leaves the body fails the unit.
#pragma once

#include <concepts>
#include <coroutine>
#include <headrace/batch/unit.hpp>

namespace headrace::batch {

class unit_failed : public std::runtime_error {
public:
    explicit unit_failed(failure why) : std::runtime_error(why.message), why_(std::move(why)) {}
    const failure& why() const noexcept { return why_; }

private:
    failure why_;
};

class unit_cancelled : public unit_failed {
public:
    using unit_failed::unit_failed;
};

/// Throws unit_cancelled in the body of a unit that was cancelled.
void throw_if_cancelled(const graph_node& self);
/// Throws what went wrong with a unit that is decided and not done.
[[noreturn]] void throw_failure_of(const graph_node& other);

/// Waiting for something outside of the graph. A class derived from it starts the thing in begin(), calls resume() exactly
/// once, from any thread, also during begin() and also after abandon(), and answers in await_resume(), which should begin
/// with throw_if_cancelled(self()). Nothing of it may be touched after resume().
class outside_wait : public graph_wait {
public:
    outside_wait() { kind = what::outside; }
    virtual ~outside_wait() = default;
    outside_wait(const outside_wait&) = delete;
    outside_wait& operator=(const outside_wait&) = delete;
    void start(graph_node& self) {
        self_ = &self;
        unit_access::suspend_on(self, *this);
        begin();
    }
    void resume() noexcept { graph_core::wake(event_, *self_); }
    /// Several in one go: units of one graph are all awake before the first one runs.
    template <class Wait>
    static void resume_all(std::span<Wait* const> waits) noexcept;
    /// The unit was cancelled: hurry.
    virtual void abandon() noexcept {}

protected:
    virtual void begin() = 0;
    graph_node& self() const noexcept { return *self_; }

private:
    graph_node* self_ = nullptr;
    wake_event event_;
};

template <class Wait>
void outside_wait::resume_all(std::span<Wait* const> waits) noexcept {
    graph_event *oldest = nullptr, *newest = nullptr;
    graph_core* core = nullptr;
    for (Wait* w : waits) {
        outside_wait& wait = *w;
        graph_core& its = unit_access::core(*wait.self_);
        if (core != &its && core != nullptr) {
            core->post(*oldest, *newest);
            oldest = newest = nullptr;
        }
        core = &its;
        wait.event_.node = wait.self_;
        wait.event_.kind = graph_event::what::wake;
        wait.event_.next_event = newest;
        newest = &wait.event_;
        if (oldest == nullptr) oldest = newest;
    }
    if (newest != nullptr) core->post(*oldest, *newest);
}

namespace detail {

struct sleep_wait : graph_wait {
    explicit sleep_wait(ns d) {
        kind = what::timer;
        duration = d;
    }
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> body) noexcept {
        self = body.promise().node;
        unit_access::suspend_on(*self, *this);
    }
    void await_resume() const { throw_if_cancelled(*self); }
    graph_node* self = nullptr;
};

template <class R>
struct unit_wait : graph_wait {
    unit_wait(unit<R> u, graph_node& s) : awaited(std::move(u)), self(s) {
        kind = what::unit;
        other = awaited.node_ref::get();
    }
    bool await_ready() const noexcept { return awaited.decided(); }
    void await_suspend(std::coroutine_handle<>) noexcept { unit_access::suspend_on(self, *this); }
    decltype(auto) await_resume() const {
        throw_if_cancelled(self);
        if (refused) throw unit_failed(refused);
        if (awaited.state() != unit_state::done) throw_failure_of(*awaited.node_ref::get());
        if constexpr (!std::is_void_v<R>) return R(awaited.get());
    }
    unit<R> awaited;
    graph_node& self;
};

// The awaitable stays where it is: its address is known outside.
template <class W>
struct outside_ref {
    W& wait;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> body) {
        wait.start(*body.promise().node);
    }
    decltype(auto) await_resume() const { return wait.await_resume(); }
};

struct promise_base {
    graph_node* node = nullptr;

    static void* operator new(std::size_t bytes) { return slab::take(bytes); }
    static void operator delete(void* block, std::size_t bytes) noexcept { slab::give(block, bytes); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { unit_access::fail_with_current(*node); }
    template <class R>
    auto await_transform(unit<R> u) {
        return unit_wait<R>(std::move(u), *node);
    }
    auto await_transform(sleep_wait w) const noexcept { return w; }
    template <class W>
    requires std::derived_from<std::remove_reference_t<W>, outside_wait>
    auto await_transform(W&& w) const noexcept { return outside_ref<std::remove_reference_t<W>>{w}; }
};

template <class R>
struct promise_value : promise_base {
    template <class T>
    void return_value(T&& v) {
        static_cast<value_node<R>*>(node)->store(std::forward<T>(v));
    }
};
template <>
struct promise_value<void> : promise_base {
    void return_void() const noexcept {}
};

}  // namespace detail

/// What the function of such a unit returns.
template <class R = void>
class unit_task {
public:
    using value_type = R;
    struct promise_type : detail::promise_value<R> {
        unit_task get_return_object() { return unit_task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    };
    unit_task(unit_task&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
    unit_task(const unit_task&) = delete;
    unit_task& operator=(const unit_task&) = delete;
    ~unit_task() {
        if (body_) body_.destroy();
    }
    std::coroutine_handle<promise_type> release() noexcept { return std::exchange(body_, nullptr); }

private:
    explicit unit_task(std::coroutine_handle<promise_type> body) noexcept : body_(body) {}
    std::coroutine_handle<promise_type> body_;
};

template <class T>
inline constexpr bool is_unit_task = false;
template <class R>
inline constexpr bool is_unit_task<unit_task<R>> = true;

}  // namespace headrace::batch
