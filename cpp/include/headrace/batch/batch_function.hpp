// What a batcher calls with a batch, and how a batch that runs elsewhere reports back.
//
// Threads:  run() on a worker of the pool, several at once up to the concurrency limit. start() in whichever thread formed the
//           batch (one that submitted, completed or cancelled, or the timer's): it hands over and returns, never blocks, and
//           needs no lock that a submitting thread may hold; a batch_handle completes from any thread.
// Lifetime: items stay until complete() or fail(), even those whose waiters have gone.
// Errors:   run() and start() may throw anything: the items without a result get the exception. One item's own error is a
//           matter of the derived item type. An item that is left without result gets an error from the adaptor, never a hang.
#pragma once

#include <exception>
#include <headrace/batch/item.hpp>
#include <headrace/batch/result_cache.hpp>
#include <memory>
#include <span>

namespace headrace::batch {

class engine;
struct batch_run;

/// A batch that has been started and not completed. Dropping it fails its items.
class batch_handle {
public:
    batch_handle() noexcept = default;
    batch_handle(batch_handle&& other) noexcept : run_(std::exchange(other.run_, nullptr)) {}
    batch_handle& operator=(batch_handle&& other) noexcept;
    ~batch_handle();
    explicit operator bool() const noexcept { return run_ != nullptr; }

    std::span<item* const> items() const noexcept;
    /// Every item has its result or its error.
    void complete() noexcept;
    /// Items without a result get this error.
    void fail(const std::exception_ptr& why) noexcept;

private:
    friend class engine;
    explicit batch_handle(batch_run* run) noexcept : run_(run) {}
    batch_run* run_ = nullptr;
};

class batch_function {
public:
    virtual ~batch_function() = default;

    /// Constant: whether start() is called, not run().
    virtual bool is_async() const noexcept { return false; }
    /// Gives every item its result or its error, and returns.
    virtual void run(std::span<item* const> items) = 0;
    /// The same, but the batch is complete when the handle says so.
    virtual void start(batch_handle&& handle) { static_cast<void>(handle); }

    /// The batch failed: `it` gets the error unless it has a result already.
    virtual void fail(item& it, const std::exception_ptr& why) noexcept = 0;
    /// Copies the result or error of `from` to a waiter of the same key. May throw: then fail(to).
    virtual void share(const item& from, item& to) = 0;
    /// Items of equal `key` numbers: the same request? Short; it is called while decisions are made.
    virtual bool same_key(const item& a, const item& b) noexcept {
        static_cast<void>(a), static_cast<void>(b);
        return true;
    }
    /// A copy of an item with its result for the cache; null: not to be kept (an error).
    virtual kept_result keep(const item& it) {
        static_cast<void>(it);
        return nullptr;
    }
};

}  // namespace headrace::batch
