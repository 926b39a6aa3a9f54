// One async_submit: its item, its handler, and the way back to the handler's executor.
// Threads:  complete() on the handler's executor.   Lifetime: an operation frees itself, see batch/item.hpp.
#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/prefer.hpp>
#include <headrace/batch/awaitable_fix.hpp>
#include <headrace/batch/completions.hpp>
#include <headrace/batch/engine.hpp>
#include <headrace/batch/node_cache.hpp>
#include <headrace/batch/work_item.hpp>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace headrace::batch {

template <class Req, class Resp>
class submitted_item : public work_item<Req, Resp>, public completable {
public:
    using work_item<Req, Resp>::work_item;
    std::exception_ptr refusal;  // why the batch function did not decide

protected:
    ~submitted_item() = default;
};

/// Where a batcher's items are delivered: grouped by executor, one post each.
template <class Req, class Resp>
class executor_sink final : public sink {
public:
    explicit executor_sink(std::string batcher) : name_(std::move(batcher)) {}

    void deliver(item* chain) noexcept override {
        completions ready;
        while (chain != nullptr) {
            auto& op = static_cast<submitted_item<Req, Resp>&>(*std::exchange(chain, chain->next));
            if (const auto why = failure_of(op.state(), name_)) {
                op.refusal = std::make_exception_ptr(std::system_error(why.code, why.message));
            }
            ready.add(op);
        }
        ready.post();
    }
    void recycle(item& it) noexcept override { static_cast<submitted_item<Req, Resp>&>(it).free(); }

private:
    const std::string name_;
};

template <class Req, class Resp, class Handler>
class submit_operation final : public submitted_item<Req, Resp> {
public:
    using allocator = boost::asio::associated_allocator_t<Handler>;

    static submit_operation* make(Req&& request, Handler&& handler, const boost::asio::any_io_executor& fallback) {
        const allocator memory_of = boost::asio::get_associated_allocator(handler);
        void* const memory = allocate(memory_of);
        try {
            return ::new (memory) submit_operation(std::move(request), std::move(handler), fallback, memory_of);
        } catch (...) {
            deallocate(memory, memory_of);
            throw;
        }
    }

    /// Lets the handler's cancellation slot cancel the call.
    void connect(const std::shared_ptr<engine>& to) {
        auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
        if (!slot.is_connected()) return;
        slot.assign([this, weak = std::weak_ptr<engine>(to)](boost::asio::cancellation_type type) {
            if (type == boost::asio::cancellation_type::none) return;
            if (const auto e = weak.lock()) e->cancel(*this);
        });
    }

    void complete() override {
        auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
        if (slot.is_connected()) slot.clear();
        Handler handler = std::move(*handler_);
        handler_.reset();
        std::exception_ptr why = std::move(this->refusal);
        Resp value{};
        if (!why) take_answer(value, why);
        const auto work = std::move(this->executor);  // the executor has work until the handler has run
        leave();
        std::move(handler)(std::move(why), std::move(value));
    }
    void destroy() noexcept override {
        handler_.reset();
        leave();
    }
    void free() noexcept override {
        const allocator memory_of = allocator_;
        this->~submit_operation();
        deallocate(this, memory_of);
    }

private:
    static constexpr bool uses_cache = std::is_same_v<allocator, std::allocator<void>>;

    submit_operation(Req&& r, Handler&& handler, const boost::asio::any_io_executor& fallback, const allocator& a)
        : submitted_item<Req, Resp>(std::move(r)), handler_(std::move(handler)), allocator_(a) {
        const boost::asio::any_io_executor target = boost::asio::get_associated_executor(*handler_, fallback);
        this->executor = boost::asio::prefer(target, boost::asio::execution::outstanding_work.tracked);
    }
    ~submit_operation() = default;

    void take_answer(Resp& value, std::exception_ptr& why) {
        auto& given = this->given();
        if (given.index() == 1) value = std::move(std::get<1>(given));
        if (given.index() == 2) why = std::move(std::get<2>(given));
    }
    void leave() noexcept {
        if (this->drop()) free();
    }

    using rebound = typename std::allocator_traits<allocator>::template rebind_alloc<submit_operation>;
    static void* allocate(const allocator& a) {
        if constexpr (uses_cache) {
            return node_cache<sizeof(submit_operation)>::take();
        } else {
            rebound r(a);
            return std::allocator_traits<rebound>::allocate(r, 1);
        }
    }
    static void deallocate(void* memory, const allocator& a) noexcept {
        if constexpr (uses_cache) {
            node_cache<sizeof(submit_operation)>::give(memory);
        } else {
            rebound r(a);
            std::allocator_traits<rebound>::deallocate(r, static_cast<submit_operation*>(memory), 1);
        }
    }

    std::optional<Handler> handler_;
    [[no_unique_address]] allocator allocator_;
};

}  // namespace headrace::batch
