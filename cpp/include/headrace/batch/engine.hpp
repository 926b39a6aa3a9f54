// The batcher without its types: items in, batches out, completions back. batch/batcher.hpp puts types on top.
//
// Submitting is a push to a lock-free stack. One thread at a time decides (batch_fsm): whoever has something to report tries,
// and leaves word when another is at it, so nobody waits. A free worker takes what is there (natural batching): while workers
// are busy, items accumulate and nobody is woken; a batch that ends takes the next one at once. Completions leave grouped by
// sink, one call per batch.
//
// Quiescence: items submitted as `held` do not make an idle worker start. They leave with the next item that is not held, when
// the batch is full, when the window ends, or at flush(), which the owner of a task graph calls when no unit that still runs
// can add to the batch: then waiting longer could gain nothing.
//
// Threads:  every function from any thread. submit*(), cancel(), flush(), configure(), shutdown() never wait; stats() and the
//           cache's functions may wait some microseconds for a decision under way; wait_*() block.
// Lifetime: calls must not overlap with destruction. Borrows items until their delivery (batch/item.hpp). Destruction is
//           shutdown(cancel) without waiting: what runs ends by itself, function and pool live until then.
// Errors:   per item. An engine of the parent process answers `forked` to every item.
// Stop:     shutdown(), then wait_stopped() or the callback: every item has been delivered.
#pragma once

#include <functional>
#include <headrace/batch/batch_function.hpp>
#include <headrace/batch/options.hpp>
#include <headrace/batch/stats.hpp>
#include <headrace/exec/thread_pool.hpp>
#include <memory>

namespace headrace::batch {

class engine {
public:
    /// `pool` runs blocking functions; null: thread_pool::shared(). Throws std::invalid_argument for what check() names.
    engine(const batch_options& options, std::shared_ptr<batch_function> function,
           std::shared_ptr<exec::thread_pool> pool = nullptr);
    ~engine();
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;

    /// It is delivered once; if it is refused, in this very call: state() tells.
    void submit(item& it);
    /// A chain linked by `next`, at one push and one wake at most.
    void submit_chain(item& first);

    /// True: the waiter is freed, the item is delivered as cancelled; false: it was decided before. The item must be alive.
    /// In a running batch its place stays, and nobody waits for it.
    bool cancel(item& it);

    /// What waits now leaves as soon as it may, held or not (reason quiescent).
    void flush();

    failure configure(const batch_options& options);
    batch_options options() const;

    /// Refuses new items. `drain`: all that wait leave in batches without any window; `cancel`: they are cancelled. Batches
    /// that run end by themselves. A later `cancel` overrules a `drain`. `stopped` is called once, from any thread.
    void shutdown(stop_mode mode, std::function<void()> stopped = nullptr);
    /// False when `timeout` passed first.
    bool wait_stopped(ns timeout = ns::max());

    /// Policy `wait`, for threads: returns true when fewer than max_queue_size items wait, or when closed; false when
    /// `timeout` passed. Nothing is reserved: submit() accepts anyway.
    bool wait_room(ns timeout = ns::max());
    bool has_room() const noexcept;

    bool closed() const noexcept;
    bool forked() const noexcept;
    batch_stats stats() const;

    /// Puts a result into the cache.
    void prime(kept_result result);
    void forget(std::uint64_t key);
    void forget_all();

    class core;  // src/batch/engine_core.hpp

private:
    friend class batch_handle;
    std::shared_ptr<core> core_;
};

}  // namespace headrace::batch
