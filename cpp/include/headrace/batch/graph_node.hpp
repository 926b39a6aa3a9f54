// A unit of a task graph as the graph sees it: links, counters and a state; what it computes is a class derived from it.
//
// Threads:  state() and what it makes readable (the result, the failure) from any thread; everything else belongs to the
//           graph that the node was added to.
// Lifetime: counted references. The graph holds one until the unit is over; edges hold their dependency.
// Errors:   a failed unit keeps its own failure; one that failed with it names the unit where it began (`cause`).
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <headrace/base/error.hpp>
#include <headrace/batch/slab.hpp>
#include <headrace/batch/timer_queue.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace headrace::batch {

/// What the world sees of a unit. Decided once.
enum class unit_state : std::uint8_t { pending, done, failed, cancelled };

/// Where the graph has it.
enum class unit_phase : std::uint8_t {
    fresh,      ///< not yet seen by the graph
    waiting,    ///< for dependencies
    sleeping,   ///< its delay runs
    ready,      ///< to run, or to run on
    running,    ///< its body has a thread, or an event loop has it
    suspended,  ///< its body waits for a timer, a unit, a batch or something outside, without a thread
    over,
};

class graph_core;
class graph_node;

/// `dependant` runs after `dependency`. Owned by both of its lists; the graph frees it when it has left both.
struct graph_edge : slab::allocated {
    graph_node* dependant = nullptr;  ///< null when it has left the dependant's list
    graph_node* dependency = nullptr;
    graph_edge* next_out = nullptr;  ///< next dependant of the same dependency
    graph_edge* next_in = nullptr;   ///< next dependency of the same dependant
    bool in_out_list = false;
};

/// Why a body did not end well: the words, and what it threw.
struct unit_error : slab::allocated {
    failure why;
    std::exception_ptr thrown;
};

/// Something that happened to a unit, on its way to the graph. One event is in one place at a time.
struct graph_event {
    enum class what : std::uint8_t { add, end, wake, cancel, look };
    graph_event* next_event = nullptr;
    what kind = what::add;
};
/// The unit's own (add, end) is part of it; a wake or a cancel comes from outside.
struct wake_event : graph_event {
    graph_node* node = nullptr;
};
struct cancel_event : graph_event, slab::allocated {
    graph_node* node = nullptr;  ///< counted
};

/// What a body that suspends waits for. Lives in the body until it runs on.
struct graph_wait {
    enum class what : std::uint8_t { timer, unit, outside };
    what kind = what::outside;
    ns duration{0};               ///< of a timer
    graph_node* other = nullptr;  ///< of a unit; the body holds a reference
    failure refused;              ///< the answer: waiting for `other` would have closed a cycle
};

// The members stand in an order that leaves no holes: two cache lines.
class graph_node : public timer_node, public graph_event, public slab::allocated {
public:
    static constexpr std::uint8_t priorities = 8;

    graph_node() = default;
    graph_node(const graph_node&) = delete;
    graph_node& operator=(const graph_node&) = delete;
    virtual ~graph_node();

    unit_state state() const noexcept { return state_.load(std::memory_order_acquire); }
    bool decided() const noexcept { return state() != unit_state::pending; }
    std::uint32_t id() const noexcept { return id_; }
    std::string_view name() const noexcept { return name_ ? std::string_view(*name_) : std::string_view(); }
    /// "'name'", or "#id" of a unit without one.
    std::string label() const;

    /// When decided: what went wrong, in words; no failure when it is done.
    failure why() const;
    /// When failed or cancelled: the unit where it began, which may be this one. Null when done.
    const graph_node* cause() const noexcept { return cause_; }
    /// When failed by itself: what its body threw.
    std::exception_ptr thrown() const noexcept {
        return state() == unit_state::failed && cause_ == this ? error_->thrown : nullptr;
    }

    void retain() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
    static void release(graph_node* node) noexcept {
        // Who holds the only reference needs no exchange with others: nobody could make a second one.
        if (node->refs_.load(std::memory_order_acquire) == 1 ||
            node->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            release_last(node);
        }
    }

    /// For a graph that takes it: a second reference, before anybody else can know it.
    void retain_unshared() noexcept { refs_.store(2, std::memory_order_relaxed); }

protected:
    enum class outcome : std::uint8_t { ended, suspended };
    /// Runs the body, or runs it on, on a thread of the pool. A body that failed has called fail().
    virtual outcome run() noexcept { return outcome::ended; }
    /// The node is decided and nobody holds a lock. Called once, when `tell_` is set.
    virtual void on_decided() noexcept {}
    /// The unit was cancelled while it waits for something outside, which should hurry to wake it.
    virtual void on_abandoned() noexcept {}
    /// The node was handed over instead of queued for a worker (`remote_`). Must lead to one graph_core::post_end(). The graph
    /// counts it as outside activity (graph_core::add_activity) until its body has taken that over.
    virtual void start_remote() noexcept {}
    /// A unit that the running body awaits (graph_core::await_unit) was decided. Under the graph's lock: a few instructions.
    virtual void on_awaited() noexcept {}
    /// The last reference is gone.
    virtual void dispose() noexcept { delete this; }
    /// Before an end: what went wrong.
    void fail(failure why, std::exception_ptr thrown = nullptr);

    /// Cancelled while its body is alive: the body should come to its end.
    bool cancel_asked() const noexcept { return state() == unit_state::cancelled; }

    bool body_ : 1 = false;      // has a body; without one it is over when its delay is
    bool remote_ : 1 = false;    // its body runs elsewhere than on the graph's workers
    bool tell_ : 1 = false;      // call on_decided()
    std::uint8_t priority_ = 0;  // larger runs first, below `priorities`

private:
    static void release_last(graph_node* node) noexcept;
    friend class graph_fsm;
    friend class graph_core;
    friend class graph_port;
    friend struct unit_access;

    std::atomic<unit_state> state_{unit_state::pending};
    unit_phase phase_ = unit_phase::fresh;
    bool begun_ = false;                // the body was run at least once
    bool woken_early_ = false;          // the wake came before the suspension
    std::atomic<bool> watched_{false};  // somebody blocks until it is decided

protected:
    graph_wait* wait_ = nullptr;         // set before `suspended` is returned
    graph_core* core_ = nullptr;         // whose unit it is
    std::unique_ptr<std::string> name_;  // mostly there is none

private:
    std::atomic<std::uint32_t> refs_{1};
    std::uint32_t pending_ = 0;    // dependencies that are not decided
    graph_edge* out_ = nullptr;    // to dependants
    graph_edge* in_ = nullptr;     // to dependencies
    graph_node* cause_ = nullptr;  // counted, unless it is this
    std::unique_ptr<unit_error>
        error_;                // the body's own until it has ended; read by others when failed with this cause
    std::uint32_t id_ = 0;     // in the order of adding, from 1
    std::uint32_t place_ = 0;  // in the graph's list
};

static_assert(sizeof(void*) != 8 || sizeof(graph_node) <= 136);

/// A counted reference to a node.
class node_ref {
public:
    node_ref() noexcept = default;
    explicit node_ref(graph_node* node) noexcept : node_(node) {
        if (node_ != nullptr) node_->retain();
    }
    static node_ref adopt(graph_node* node) noexcept {
        node_ref r;
        r.node_ = node;
        return r;
    }
    node_ref(const node_ref& other) noexcept : node_ref(other.node_) {}
    node_ref(node_ref&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    node_ref& operator=(node_ref other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~node_ref() {
        if (node_ != nullptr) graph_node::release(node_);
    }
    graph_node* get() const noexcept { return node_; }
    graph_node* operator->() const noexcept { return node_; }
    explicit operator bool() const noexcept { return node_ != nullptr; }

private:
    graph_node* node_ = nullptr;
};

/// First in, first out, through the links of timer_node; any node can leave.
class node_list {
public:
    bool empty() const noexcept { return head_ == nullptr; }
    void push(graph_node& node) noexcept {
        node.next = nullptr;
        node.prev = tail_;
        (tail_ != nullptr ? tail_->next : head_) = &node;
        tail_ = &node;
    }
    graph_node* pop() noexcept {
        auto* node = static_cast<graph_node*>(head_);
        if (node != nullptr) remove(*node);
        return node;
    }
    void remove(graph_node& node) noexcept {
        (node.prev != nullptr ? node.prev->next : head_) = node.next;
        (node.next != nullptr ? node.next->prev : tail_) = node.prev;
        node.next = node.prev = nullptr;
    }
    graph_node* front() const noexcept { return static_cast<graph_node*>(head_); }

private:
    timer_node* head_ = nullptr;
    timer_node* tail_ = nullptr;
};

}  // namespace headrace::batch
