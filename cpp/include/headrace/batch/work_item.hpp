// What a typed batch function works on: requests, and a place for each result.
// Threads:  the batch function's, one thread at a time per item.   Lifetime: until the batch is complete.
// Errors:   fail() gives one item an error of its own. What gets neither result nor error fails with errc::bad_result.
#pragma once

#include <cstddef>
#include <exception>
#include <headrace/batch/batch_function.hpp>
#include <iterator>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace headrace::batch {

/// A result, or why there is none.
template <class Resp>
using result = std::variant<Resp, std::exception_ptr>;

template <class Req, class Resp>
class work_item : public item {
public:
    explicit work_item(Req&& r) : request(std::move(r)) {}
    explicit work_item(const Req& r) : request(r) {}

    Req request;

    void set(Resp value) { answer_.template emplace<1>(std::move(value)); }
    void set(result<Resp>&& value) {
        if (value.index() == 0) {
            answer_.template emplace<1>(std::move(std::get<0>(value)));
        } else {
            fail(std::get<1>(value));
        }
    }
    void fail(std::exception_ptr why) { answer_.template emplace<2>(std::move(why)); }
    bool answered() const noexcept { return answer_.index() != 0; }
    /// Null when it failed or has not been answered.
    const Resp* value() const noexcept { return std::get_if<1>(&answer_); }

    using answer = std::variant<std::monostate, Resp, std::exception_ptr>;
    answer& given() noexcept { return answer_; }
    void copy_answer(const work_item& from) {
        if constexpr (std::is_copy_constructible_v<Resp>) answer_ = from.answer_;
    }

    static work_item& of(item& it) noexcept { return static_cast<work_item&>(it); }
    static const work_item& of(const item& it) noexcept { return static_cast<const work_item&>(it); }

private:
    answer answer_;
};

/// The items of a batch.
template <class Req, class Resp>
class batch_view {
public:
    using value_type = work_item<Req, Resp>;

    class iterator {
    public:
        using difference_type = std::ptrdiff_t;
        using value_type = work_item<Req, Resp>;
        iterator() = default;
        explicit iterator(item* const* at) noexcept : at_(at) {}
        value_type& operator*() const noexcept { return value_type::of(**at_); }
        value_type* operator->() const noexcept { return &**this; }
        iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        iterator operator++(int) noexcept { return iterator(at_++); }
        bool operator==(const iterator&) const = default;

    private:
        item* const* at_ = nullptr;
    };

    explicit batch_view(std::span<item* const> items) noexcept : items_(items) {}
    std::size_t size() const noexcept { return items_.size(); }
    value_type& operator[](std::size_t i) const noexcept { return value_type::of(*items_[i]); }
    iterator begin() const noexcept { return iterator(items_.data()); }
    iterator end() const noexcept { return iterator(items_.data() + items_.size()); }

private:
    std::span<item* const> items_;
};

inline std::exception_ptr make_error(errc code, const std::string& text) {
    return std::make_exception_ptr(std::system_error(make_error_code(code), text));
}

/// Gives every item its place in `answers`, or all of them the same error when there are too many or too few.
template <class Req, class Resp, class Answers>
void give_answers(batch_view<Req, Resp> items, Answers&& answers) {
    if (answers.size() != items.size()) {
        const auto why = make_error(errc::bad_result, "the batch function was given " + std::to_string(items.size()) +
                                                          " requests and answered with " +
                                                          std::to_string(answers.size()) + " results");
        for (auto& it : items) it.fail(why);
        return;
    }
    auto at = items.begin();
    for (auto&& each : answers) (at++)->set(std::move(each));
}

/// What was left without an answer is told so.
template <class Req, class Resp>
void fail_unanswered(batch_view<Req, Resp> items) {
    std::exception_ptr why;
    for (auto& it : items) {
        if (it.answered()) continue;
        if (!why) why = make_error(errc::bad_result, "the batch function gave no result for this request");
        it.fail(why);
    }
}

/// The requests of a batch side by side: moved out, or copied when their keys are still compared.
template <class Req, class Resp>
std::vector<Req> requests_of(batch_view<Req, Resp> items, bool keep) {
    std::vector<Req> requests;
    requests.reserve(items.size());
    for (auto& it : items) {
        if constexpr (std::is_copy_constructible_v<Req>) {
            if (keep) {
                requests.push_back(it.request);
                continue;
            }
        }
        requests.push_back(std::move(it.request));
    }
    return requests;
}

/// A typed batch_handle: a batch that completes later, from any thread. Dropping it fails its items.
template <class Req, class Resp>
class batch_call {
public:
    batch_call(batch_handle&& handle, bool keep_requests) noexcept
        : handle_(std::move(handle)), keep_requests_(keep_requests) {}
    batch_call(batch_call&&) noexcept = default;
    batch_call& operator=(batch_call&&) noexcept = default;

    batch_view<Req, Resp> items() const noexcept { return batch_view<Req, Resp>(handle_.items()); }
    std::vector<Req> requests() { return requests_of(items(), keep_requests_); }
    /// Items that were not answered fail with errc::bad_result.
    void complete() {
        fail_unanswered(items());
        handle_.complete();
    }
    /// One answer per item, in order.
    template <class Answers>
    void complete(Answers&& answers) {
        give_answers(items(), std::forward<Answers>(answers));
        handle_.complete();
    }
    void fail(const std::exception_ptr& why) noexcept { handle_.fail(why); }

private:
    batch_handle handle_;
    bool keep_requests_;
};

}  // namespace headrace::batch
