// Typed units: a handle that names a unit of a task graph and gives its value, and the node of a unit that calls a function.
//
// Threads:  every function of a handle from any thread.
// Lifetime: a handle keeps the unit's value, not the graph. wait() needs the graph as long as the unit is undecided.
// Errors:   get() must only be called when the unit is done; ask state() or why(). What a function throws becomes the unit's
//           failure (errc::user_error) and stays in thrown(); a function may also return a `failure`.
#pragma once

#include <functional>
#include <headrace/batch/graph_core.hpp>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>

namespace headrace::batch {

/// For what implements units: the members of graph_node that belong to its body.
struct unit_access {
    static void suspend_on(graph_node& n, graph_wait& w) noexcept { n.wait_ = &w; }
    /// Before the unit is added.
    static void add_edge(graph_node& n, graph_edge& e) noexcept {
        e.next_in = n.in_;
        n.in_ = &e;
    }
    static bool cancelled(const graph_node& n) noexcept { return n.cancel_asked(); }
    static graph_core& core(const graph_node& n) noexcept { return *n.core_; }
    static void fail(graph_node& n, failure why, std::exception_ptr thrown) {
        n.fail(std::move(why), std::move(thrown));
    }
    /// Turns the exception that is being handled into the unit's failure.
    static void fail_with_current(graph_node& n) noexcept;
};

template <class R>
class value_node : public graph_node {
public:
    const R& value() const noexcept { return *value_; }
    template <class T>
    void store(T&& v) {
        value_.emplace(std::forward<T>(v));
    }

private:
    std::optional<R> value_;
};

template <>
class value_node<void> : public graph_node {};

template <class R = void>
class unit : public node_ref {
public:
    unit() noexcept = default;
    static unit adopt(value_node<R>* node) noexcept {
        unit u;
        static_cast<node_ref&>(u) = node_ref::adopt(node);
        return u;
    }

    unit_state state() const noexcept { return get_node().state(); }
    bool decided() const noexcept { return get_node().decided(); }
    failure why() const { return get_node().why(); }
    std::exception_ptr thrown() const noexcept { return get_node().cause() ? get_node().cause()->thrown() : nullptr; }
    /// False when `timeout` passed before it was decided. Not from a body of the same graph: await it there.
    bool wait(ns timeout = ns::max()) const { return unit_access::core(get_node()).wait(get_node(), timeout); }
    /// The value of a unit that is done.
    decltype(auto) get() const noexcept {
        if constexpr (!std::is_void_v<R>) return static_cast<const value_node<R>&>(get_node()).value();
    }

private:
    graph_node& get_node() const noexcept { return *node_ref::get(); }
};

template <class T>
inline constexpr bool is_unit = false;
template <class R>
inline constexpr bool is_unit<unit<R>> = true;

namespace detail {

// A unit among the arguments of a call stands for its value; one without a value for nothing.
template <class T>
auto argument(T& a) {
    if constexpr (std::is_same_v<T, unit<void>>) {
        return std::tuple<>();
    } else if constexpr (is_unit<T>) {
        return std::tie(a.get());
    } else {
        return std::tuple<T&&>(std::move(a));
    }
}

template <class F, class... Args>
decltype(auto) call_with(F& f, Args&... args) {
    return std::apply(f, std::tuple_cat(argument(args)...));
}

// A function that returns a failure fails its unit with it.
template <class R>
using value_of = std::conditional_t<std::is_same_v<R, failure>, void, std::decay_t<R>>;

}  // namespace detail

/// A unit whose body is f(args...), run once on a worker.
template <class R, class F, class... Args>
class call_node final : public value_node<detail::value_of<R>> {
public:
    call_node(F f, Args... args) : call_(std::in_place, std::move(f), std::tuple<Args...>(std::move(args)...)) {
        this->body_ = true;
    }

protected:
    graph_node::outcome run() noexcept override {
        try {
            std::apply([this](auto&... args) { finish(call_->first, args...); }, call_->second);
        } catch (...) {
            unit_access::fail_with_current(*this);
        }
        call_.reset();  // its arguments may be the last to hold a large value
        return graph_node::outcome::ended;
    }

private:
    void finish(F& f, Args&... args) {
        if constexpr (std::is_void_v<R>) {
            detail::call_with(f, args...);
        } else if constexpr (std::is_same_v<R, failure>) {
            if (failure bad = detail::call_with(f, args...)) this->fail(std::move(bad));
        } else {
            this->store(detail::call_with(f, args...));
        }
    }

    std::optional<std::pair<F, std::tuple<Args...>>> call_;
};

}  // namespace headrace::batch
