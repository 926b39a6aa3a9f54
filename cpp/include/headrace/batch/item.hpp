// One request that waits for a batch: an intrusive node, so that queueing it allocates nothing.
//
// Its state is decided once, by compare-and-swap: waiting -> running -> done, or cancelled, timed out, refused. Who decides
// has won; everybody else's attempt has no effect. So a waiter completes exactly once, whatever happens at the same time.
// Threads:  fields are set before submit and constant afterwards; the rest belongs to the engine until it is delivered.
// Lifetime: whoever submits keeps it alive until its sink has got it AND drop() answered true, or the sink's recycle() was
//           called. An item that was delivered while its batch still runs is read by the batch until then.
// Errors:   error() after delivery; results and errors of the batch function live in derived types.
#pragma once

#include <atomic>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <string>

namespace headrace::batch {

class item;
class item_list;
struct key_group;

/// Where completed items go. One delivery carries all items of a batch (or of a sweep) that go to the same sink.
class sink {
public:
    /// Every item of the chain, linked by `next`, is decided; each is delivered once. Runs in whichever thread got there, so
    /// it hands over and returns: no user code, no GIL, no waiting.
    virtual void deliver(item* chain) noexcept = 0;
    /// The batch of an item whose receiver has dropped it earlier is over: nobody uses it any more.
    virtual void recycle(item& it) noexcept = 0;

protected:
    ~sink() = default;
};

enum class item_state : std::uint8_t {
    idle,       ///< not submitted
    waiting,    ///< for its batch
    running,    ///< in a batch
    done,       ///< the batch function has set its result or its error
    cancelled,  ///< by cancel() or shutdown(cancel)
    timed_out,  ///< its deadline passed
    refused,    ///< the queue was full and its policy is `reject`
    dropped,    ///< the queue was full and a newer item took its place
    closed,     ///< submitted after shutdown()
    too_heavy,  ///< its weight is above max_batch_weight
    forked,     ///< submitted to an engine that belongs to the parent process
};

class item {
public:
    item() = default;
    item(const item&) = delete;
    item& operator=(const item&) = delete;

    batch::sink* sink = nullptr;  ///< must be set, and outlive the delivery
    item* next = nullptr;         ///< the rest of a chain, when submitting and when delivered
    ns deadline = ns::max();      ///< monotonic; the waiter is freed then, whatever its batch does
    std::uint64_t key = 0;  ///< items of one key in flight share one result (batch_function::same_key decides); 0: none
    std::uint32_t weight = 1;   ///< counted against max_batch_weight
    std::int16_t priority = 0;  ///< higher goes first; strict, so a steady stream of higher ones starves lower ones
    bool held = false;          ///< waits for quiescence: does not by itself make an idle worker start a batch

    item_state state() const noexcept {
        return static_cast<item_state>(state_.load(std::memory_order_acquire) & ~detached);
    }
    /// After delivery: none when the batch function has decided (its result or error is in the derived type).
    std::error_code error() const noexcept;

    /// The receiver has finished with a delivered item. True: it is nobody's else, free it; false: its batch still runs, and
    /// the sink's recycle() will be called.
    bool drop() noexcept {
        return (state_.load(std::memory_order_acquire) & detached) == 0 ||
               released_.exchange(true, std::memory_order_acq_rel);
    }

protected:
    ~item() = default;

private:
    friend item_list;
    friend class key_table;
    friend class item_queue;
    friend class batch_fsm;
    friend class ingress;
    friend class engine;
    friend class delivery;
    friend struct item_access;

    enum class place : std::uint8_t { nowhere, queue, following, batch };

    static constexpr std::uint8_t detached = 0x80;  // decided while its batch runs: two owners

    /// True when it was `from` and is `to` now: this caller has decided.
    bool decide(item_state from, item_state to, std::uint8_t flags = 0) noexcept {
        auto expected = static_cast<std::uint8_t>(from);
        return state_.compare_exchange_strong(
            expected, static_cast<std::uint8_t>(static_cast<std::uint8_t>(to) | flags), std::memory_order_acq_rel);
    }
    bool detach(item_state to) noexcept { return decide(item_state::running, to, detached); }

    std::atomic<std::uint8_t> state_{0};
    std::atomic<bool> released_{false};
    place place_ = place::nowhere;
    bool counts_held_ = false;  // in the queue's count of held items
    ns arrived_{0};
    item* previous_ = nullptr;
    item_list* level_ = nullptr;      // in the queue
    key_group* group_ = nullptr;      // those who wait for the same key; null while it is alone
    item* same_bucket_ = nullptr;     // in the table of keys
    item* next_withdrawn_ = nullptr;  // on the way from cancel() to the engine
};

/// The steps of an item's life, for what drives the state machine without an engine (tests, simulations).
struct item_access {
    static void enter(item& it, ns now) noexcept {
        it.state_.store(static_cast<std::uint8_t>(item_state::waiting), std::memory_order_relaxed);
        it.released_.store(false, std::memory_order_relaxed);
        it.place_ = item::place::nowhere;
        it.group_ = nullptr;
        it.arrived_ = now;
    }
    static bool cancel_waiting(item& it) noexcept { return it.decide(item_state::waiting, item_state::cancelled); }
    static bool cancel_running(item& it) noexcept { return it.detach(item_state::cancelled); }
    static bool finish(item& it) noexcept { return it.decide(item_state::running, item_state::done); }
};

/// What error() reports for a state, with the sentence that a person needs.
failure failure_of(item_state state, const std::string& batcher);

}  // namespace headrace::batch
