// Calls that batch themselves: `async_submit(request, token)` joins whatever batch leaves next, and completes with its own
// result. See batch/engine.hpp for when a batch leaves, batch/typed_function.hpp for what a batch function may look like.
//
//     batcher<int, user> users{io.get_executor(), [&](std::vector<int> ids) { return db.load(ids); }, {.max_batch_size = 100}};
//     user u = co_await users.async_submit(7, use_awaitable);
//
// Any completion token works: callback, use_future, use_awaitable, deferred, as_tuple. The associated executor and allocator
// are used, and a connected cancellation slot cancels: a waiting item leaves the queue, one in a running batch frees its
// waiter. All completions of a batch for one executor cost one post.
// Threads:  every function from any thread. Handlers run on their executor, or the batcher's when they have none.
// Lifetime: must outlive submitting; the destructor cancels what waits and returns when the running batches have ended, so it
//           must not run inside a batch function.
// Errors:   the exception is what the batch function threw or gave the item, else std::system_error: errc::cancelled,
//           timed_out, queue_full, closed, invalid_argument (too heavy), bad_result, forked.
// Stop:     shutdown(), wait_stopped().
#pragma once

#include <concepts>
#include <headrace/batch/engine.hpp>
#include <headrace/batch/submit_operation.hpp>
#include <headrace/batch/typed_function.hpp>
#include <memory>
#include <stdexcept>

namespace headrace::batch {

/// How one call is made.
struct call_options {
    ns deadline = ns::max();    ///< monotonic
    std::uint32_t weight = 1;   ///< against max_batch_weight
    std::int16_t priority = 0;  ///< higher goes first
    bool held = false;          ///< waits for flush()
};

template <class Req>
struct batcher_options : batch_options {
    /// Calls whose keys are equal share one request in flight, and the cache. Hash and comparison; null: no keys.
    std::function<std::uint64_t(const Req&)> hash = nullptr;
    std::function<bool(const Req&, const Req&)> same = nullptr;
    std::function<std::uint32_t(const Req&)> weigh = nullptr;  ///< null: call_options::weight
};

template <class Req, std::default_initializable Resp>
class batcher {
public:
    using signature = void(std::exception_ptr, Resp);
    using options_type = batcher_options<Req>;

    template <batch_callable<Req, Resp> Fn>
    batcher(boost::asio::any_io_executor executor, Fn fn, options_type options = {},
            std::shared_ptr<exec::thread_pool> pool = nullptr)
        : executor_(std::move(executor)), hash_(options.hash), weigh_(options.weigh), sink_(options.name) {
        if ((options.hash == nullptr) != (options.same == nullptr)) {
            throw std::invalid_argument(options.name + ": keys need both `hash` and `same`");
        }
        auto function = std::make_shared<typed_function<Req, Resp, Fn>>(std::move(fn), options.same);
        engine_ = std::make_shared<batch::engine>(options, std::move(function), std::move(pool));
    }
    ~batcher() {
        engine_->shutdown(stop_mode::cancel);
        engine_->wait_stopped();
    }
    batcher(const batcher&) = delete;
    batcher& operator=(const batcher&) = delete;

    template <boost::asio::completion_token_for<signature> Token>
    auto async_submit(Req request, call_options how, Token&& token) {
        return boost::asio::async_initiate<Token, signature>(
            [this](auto handler, Req r, call_options h) { this->start(std::move(r), h, std::move(handler)); }, token,
            std::move(request), how);
    }
    template <boost::asio::completion_token_for<signature> Token>
    auto async_submit(Req request, Token&& token) {
        return async_submit(std::move(request), call_options{}, std::forward<Token>(token));
    }

    void flush() { engine_->flush(); }
    failure configure(const batch_options& options) { return engine_->configure(options); }
    void shutdown(stop_mode mode, std::function<void()> stopped = nullptr) {
        engine_->shutdown(mode, std::move(stopped));
    }
    bool wait_stopped(ns timeout = ns::max()) { return engine_->wait_stopped(timeout); }
    /// Policy `wait`, for threads: see engine::wait_room.
    bool wait_room(ns timeout = ns::max()) { return engine_->wait_room(timeout); }
    batch_stats stats() const { return engine_->stats(); }

    /// The cache: put an answer in, take one out, empty it.
    void prime(Req request, Resp answer) {
        const auto kept = std::make_shared<typename typed_function_base<Req, Resp>::kept_item>(std::move(request));
        kept->key = key_of(kept->request);
        kept->set(std::move(answer));
        if (kept->key != 0) engine_->prime(kept);
    }
    void forget(const Req& request) { engine_->forget(key_of(request)); }
    void forget_all() { engine_->forget_all(); }

private:
    template <class Handler>
    void start(Req&& request, const call_options& how, Handler&& handler) {
        using operation = submit_operation<Req, Resp, std::decay_t<Handler>>;
        std::uint64_t key = 0;
        std::uint32_t weight = how.weight;
        std::exception_ptr thrown;
        try {
            key = key_of(request);
            if (weigh_) weight = weigh_(request);
        } catch (...) {
            thrown = std::current_exception();
        }
        operation* const op = operation::make(std::move(request), std::forward<Handler>(handler), executor_);
        op->sink = &sink_;
        op->deadline = how.deadline, op->weight = weight, op->priority = how.priority, op->held = how.held;
        op->key = key;
        if (thrown) {
            op->fail(thrown);
            sink_.deliver(op);
            return;
        }
        op->connect(engine_);
        engine_->submit(*op);
    }

    /// 0 means no key, so a hash of 0 becomes 1.
    std::uint64_t key_of(const Req& request) const {
        if (hash_ == nullptr) return 0;
        const std::uint64_t hash = hash_(request);
        return hash == 0 ? 1 : hash;
    }

    boost::asio::any_io_executor executor_;
    std::function<std::uint64_t(const Req&)> hash_;
    std::function<std::uint32_t(const Req&)> weigh_;
    executor_sink<Req, Resp> sink_;
    std::shared_ptr<batch::engine> engine_;
};

}  // namespace headrace::batch
