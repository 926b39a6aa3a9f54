// Where units come from: a graph, the body of a unit, or a bulk.
// Threads:  a graph and a body's context from any thread; a bulk from one.
// Lifetime: borrows the graph's core.   Errors: see task_graph.hpp.
#pragma once

#include <headrace/batch/unit_task.hpp>

namespace headrace::batch {

struct unit_options {
    std::string name;               ///< for messages and pictures; empty: the unit's number
    std::uint8_t priority = 0;      ///< ready units with a larger one run first; at most 7
    ns delay{0};                    ///< from the moment when all dependencies are done
    std::vector<node_ref> after{};  ///< dependencies whose values are not needed
};

/// Units that are not in the graph yet, the newest first.
struct bulk_list {
    static constexpr std::size_t most = 256;  // they are still in the fastest cache when the graph takes them
    graph_event* newest = nullptr;
    graph_event* oldest = nullptr;
    std::size_t size = 0;
};

class unit_context;

namespace detail {

template <class F, class... Args>
class coroutine_node;

template <class F, class... Args>
using call_result = decltype(call_with(std::declval<F&>(), std::declval<Args&>()...));

template <class F, class Tuple>
inline constexpr bool is_applicable = false;
template <class F, class... Ts>
inline constexpr bool is_applicable<F, std::tuple<Ts...>> = std::is_invocable_v<F&, Ts...>;

template <class... Args>
using arguments_in =
    decltype(std::tuple_cat(std::declval<std::tuple<unit_context&>>(), argument(std::declval<Args&>())...));

// Functions that take the context first.
template <class F, class... Args>
concept takes_context = is_applicable<F, arguments_in<Args...>>;

}  // namespace detail

class graph_port {
public:
    /// Runs f(args...) on a worker once the units among `args` are done; their values are passed in their place. A function
    /// that takes a unit_context& first and returns a unit_task<R> is a coroutine.
    template <class F, class... Args>
    requires(!std::is_same_v<std::decay_t<F>, unit_options>) auto submit(F&& f, Args&&... args) {
        return submit(unit_options{}, std::forward<F>(f), std::forward<Args>(args)...);
    }

    template <class F, class... Args>
    auto submit(unit_options options, F&& f, Args&&... args) {
        using function = std::decay_t<F>;
        const auto dependencies = std::move(options.after);
        options.after = dependencies;
        (add_dependency(options.after, args), ...);
        if constexpr (detail::takes_context<function, std::decay_t<Args>...>) {
            using node = detail::coroutine_node<function, std::decay_t<Args>...>;
            return finish<typename node::result_type>(
                new node(std::forward<F>(f), std::decay_t<Args>(std::forward<Args>(args))...), options);
        } else {
            using result = detail::call_result<function, std::decay_t<Args>...>;
            using node = call_node<result, function, std::decay_t<Args>...>;
            return finish<detail::value_of<result>>(
                new node(std::forward<F>(f), std::decay_t<Args>(std::forward<Args>(args))...), options);
        }
    }

    /// A unit that is nothing but a timer: done `duration` after its dependencies.
    unit<> delay(ns duration, std::span<const node_ref> after = {});

    graph_core& core() const noexcept { return *core_; }

protected:
    explicit graph_port(graph_core& core, bulk_list* bulk = nullptr) noexcept : core_(&core), bulk_(bulk) {}

private:
    template <class A>
    static void add_dependency(std::vector<node_ref>& to, const A& a) {
        if constexpr (is_unit<A>) to.push_back(a);
    }
    template <class R>
    unit<R> finish(value_node<R>* node, unit_options& options) {
        add(*node, options);
        return unit<R>::adopt(node);
    }
    void add(graph_node& node, unit_options& options);
    void add(graph_node& node, std::span<const node_ref> after);

    graph_core* core_;
    bulk_list* bulk_;
};

/// What a coroutine unit has of its graph.
class unit_context : public graph_port {
public:
    explicit unit_context(graph_node& self) noexcept : graph_port(unit_access::core(self)), self_(&self) {}
    /// Awaitable: a timer, without a thread.
    detail::sleep_wait sleep(ns duration) const noexcept { return detail::sleep_wait(duration); }
    bool cancelled() const noexcept { return unit_access::cancelled(*self_); }
    std::string name() const { return self_->label(); }

private:
    graph_node* self_;
};

namespace detail {

template <class F, class... Args>
auto call_in(unit_context& c, F& f, Args&... args) {
    return std::apply(f, std::tuple_cat(std::tuple<unit_context&>(c), argument(args)...));
}

template <class F, class... Args>
using task_of = decltype(call_in(std::declval<unit_context&>(), std::declval<F&>(), std::declval<Args&>()...));

/// A unit whose body is the coroutine f(context, args...).
template <class F, class... Args>
class coroutine_node final : public value_node<typename task_of<F, Args...>::value_type> {
    using task = task_of<F, Args...>;
    static_assert(is_unit_task<task>, "a function of a unit that takes a unit_context& must return a unit_task");

public:
    using result_type = typename task::value_type;

    coroutine_node(F f, Args... args) : parts_(std::in_place, std::move(f), std::tuple<Args...>(std::move(args)...)) {
        this->body_ = true;
    }

protected:
    graph_node::outcome run() noexcept override {
        if (!body_handle_ && !begin()) return graph_node::outcome::ended;
        body_handle_.resume();
        if (!body_handle_.done()) return graph_node::outcome::suspended;
        body_handle_.destroy();
        body_handle_ = nullptr;
        parts_.reset();
        return graph_node::outcome::ended;
    }
    void on_abandoned() noexcept override { static_cast<outside_wait*>(this->wait_)->abandon(); }

private:
    struct parts {
        parts(F f, std::tuple<Args...> a) : function(std::move(f)), args(std::move(a)) {}
        F function;
        std::tuple<Args...> args;
        std::optional<unit_context> context;
    };

    // Calling a coroutine may throw: no memory for its frame, or a copy of an argument.
    bool begin() noexcept {
        try {
            parts_->context.emplace(*this);
            task t = std::apply([this](auto&... a) { return call_in(*parts_->context, parts_->function, a...); },
                                parts_->args);
            body_handle_ = t.release();
            body_handle_.promise().node = this;
            return true;
        } catch (...) {
            unit_access::fail_with_current(*this);
            return false;
        }
    }

    std::optional<parts> parts_;
    std::coroutine_handle<typename task::promise_type> body_handle_;
};

}  // namespace detail
}  // namespace headrace::batch
