// A callable as a batch_function. It may be called with
//   std::vector<Req>          and returns a range of Resp, or of result<Resp>, one for each request in order;
//   batch_view<Req, Resp>     and returns nothing: it answers each item;
//   batch_call<Req, Resp>     and returns nothing: the batch completes later, from any thread (never blocks).
#pragma once

#include <concepts>
#include <functional>
#include <headrace/batch/work_item.hpp>
#include <memory>

namespace headrace::batch {

template <class Fn, class Req, class Resp>
concept answers_later = std::invocable<Fn&, batch_call<Req, Resp>>;
template <class Fn, class Req, class Resp>
concept answers_in_place = !answers_later<Fn, Req, Resp> && std::invocable<Fn&, batch_view<Req, Resp>>;
template <class Fn, class Req, class Resp>
concept answers_with_list =
    !answers_later<Fn, Req, Resp> && !answers_in_place<Fn, Req, Resp> && std::invocable<Fn&, std::vector<Req>>;
template <class Fn, class Req, class Resp>
concept batch_callable =
    answers_later<Fn, Req, Resp> || answers_in_place<Fn, Req, Resp> || answers_with_list<Fn, Req, Resp>;

/// Without user code of its own: what every typed function does with keys and results.
template <class Req, class Resp>
class typed_function_base : public batch_function {
public:
    using same_request = std::function<bool(const Req&, const Req&)>;
    using typed = work_item<Req, Resp>;

    /// `same` compares keys; null: there are none.
    explicit typed_function_base(same_request same) : same_(std::move(same)) {}

    void fail(item& it, const std::exception_ptr& why) noexcept override {
        if (!typed::of(it).answered()) typed::of(it).fail(why);
    }
    void share(const item& from, item& to) override { typed::of(to).copy_answer(typed::of(from)); }
    bool same_key(const item& a, const item& b) noexcept override {
        try {
            return same_(typed::of(a).request, typed::of(b).request);
        } catch (...) {
            return false;  // not comparable: each is its own call
        }
    }
    kept_result keep(const item& it) override {
        if constexpr (std::is_copy_constructible_v<Req> && std::is_copy_constructible_v<Resp>) {
            if (typed::of(it).value() == nullptr) return nullptr;
            const auto kept = std::make_shared<kept_item>(typed::of(it).request);
            kept->key = it.key;
            kept->copy_answer(typed::of(it));
            return kept;
        }
        return nullptr;
    }

    struct kept_item final : typed {
        using typed::typed;
    };

protected:
    bool keeps_requests() const noexcept { return same_ != nullptr; }

private:
    same_request same_;
};

template <class Req, class Resp, batch_callable<Req, Resp> Fn>
class typed_function final : public typed_function_base<Req, Resp> {
public:
    using typename typed_function_base<Req, Resp>::same_request;
    typed_function(Fn fn, same_request same) : typed_function_base<Req, Resp>(std::move(same)), fn_(std::move(fn)) {}

    bool is_async() const noexcept override { return answers_later<Fn, Req, Resp>; }
    void run(std::span<item* const> items) override {
        const batch_view<Req, Resp> view(items);
        if constexpr (answers_in_place<Fn, Req, Resp>) {
            std::invoke(fn_, view);
            fail_unanswered(view);
        } else if constexpr (answers_with_list<Fn, Req, Resp>) {
            give_answers(view, std::invoke(fn_, requests_of(view, this->keeps_requests())));
        }
    }
    void start(batch_handle&& handle) override {
        if constexpr (answers_later<Fn, Req, Resp>) {
            std::invoke(fn_, batch_call<Req, Resp>(std::move(handle), this->keeps_requests()));
        }
    }

private:
    Fn fn_;
};

}  // namespace headrace::batch
