#include <headrace/batch/batcher.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <latch>
#include <memory_resource>
#include <string>

namespace headrace::batch {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

strings doubled(const std::vector<int>& numbers) {
    strings out;
    for (const int n : numbers) out.push_back(std::to_string(2 * n));
    return out;
}

std::error_code code_of(const std::exception_ptr& why) {
    try {
        if (why) std::rethrow_exception(why);
    } catch (const std::system_error& e) {
        return e.code();
    } catch (const std::exception&) {
        return std::make_error_code(std::errc::state_not_recoverable);
    }
    return {};
}

std::string text_of(const std::exception_ptr& why) {
    try {
        if (why) std::rethrow_exception(why);
    } catch (const std::exception& e) {
        return e.what();
    }
    return "";
}

std::shared_ptr<exec::thread_pool> one_worker() {
    return std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1});
}

/// A batch function that is busy with its first batch until it is opened.
struct gate_keeper {
    std::latch begun{1}, open{1};
    strings operator()(const std::vector<int>& numbers) {
        if (!begun.try_wait()) {
            begun.count_down();
            open.wait();
        }
        return doubled(numbers);
    }
};

TEST(Batcher, CallsBack) {
    asio::io_context io;
    batcher<int, std::string> b(io.get_executor(), doubled, {}, one_worker());
    std::string got;
    b.async_submit(21, [&](const std::exception_ptr& why, const std::string& answer) {
        EXPECT_FALSE(why);
        got = answer;
    });
    EXPECT_EQ(io.run(), 1U) << "the context has work until the handler has run";
    EXPECT_EQ(got, "42");
}

TEST(Batcher, CompletesAFuture) {
    asio::io_context io;
    batcher<int, std::string> b(io.get_executor(), doubled, {}, one_worker());
    auto good = b.async_submit(21, asio::use_future);
    io.run();
    EXPECT_EQ(good.get(), "42");
}

asio::awaitable<void> coroutine(batcher<int, std::string>& b, std::string& out) {
    out = co_await b.async_submit(1, asio::use_awaitable);
    out += ' ' + co_await b.async_submit(2, {.priority = 3}, asio::deferred);
    const auto [why, answer] = co_await b.async_submit(3, asio::as_tuple(asio::use_awaitable));
    out += ' ' + answer + (why ? "!" : "");
    try {
        co_await b.async_submit(-1, asio::use_awaitable);
    } catch (const std::exception& e) {
        out += ' ' + std::string(e.what());
    }
}

TEST(Batcher, CompletesAwaitablesDeferredAndTuples) {
    asio::io_context io;
    batcher<int, std::string> b(
        io.get_executor(),
        [](const std::vector<int>& numbers) {
            if (numbers[0] < 0) throw std::invalid_argument("negative");
            return doubled(numbers);
        },
        {}, one_worker());
    std::string got;
    asio::co_spawn(io, coroutine(b, got), asio::detached);
    io.run();
    EXPECT_EQ(got, "2 4 6 negative");
}

TEST(Batcher, OneBatchIsOnePostPerExecutor) {
    asio::io_context first, second;
    gate_keeper keeper;
    batcher<int, std::string> b(
        first.get_executor(), [&](const std::vector<int>& n) { return keeper(n); }, {}, one_worker());
    int on_first = 0, on_second = 0;
    b.async_submit(0, [&](auto&&...) {});
    keeper.begun.wait();
    for (int i = 0; i < 20; ++i) {
        b.async_submit(i, [&](auto&&...) { ++on_first; });
        b.async_submit(i, asio::bind_executor(second.get_executor(), [&](auto&&...) { ++on_second; }));
    }
    keeper.open.count_down();
    EXPECT_EQ(first.run(), 2U) << "handlers run by the context: one for each batch";
    EXPECT_EQ(second.run(), 1U);
    EXPECT_EQ(on_first, 20);
    EXPECT_EQ(on_second, 20);
}

TEST(Batcher, AHandlerThatThrowsDoesNotTakeTheOthersWithIt) {
    asio::io_context io;
    gate_keeper keeper;
    batcher<int, std::string> b(
        io.get_executor(), [&](const std::vector<int>& n) { return keeper(n); }, {}, one_worker());
    int called = 0;
    b.async_submit(0, [&](auto&&...) { ++called; });
    keeper.begun.wait();
    for (int i = 0; i < 5; ++i) {
        b.async_submit(i, [&, i](auto&&...) {
            ++called;
            if (i == 2) throw std::runtime_error("mine");
        });
    }
    keeper.open.count_down();
    EXPECT_THROW(io.run(), std::runtime_error);
    io.run();
    EXPECT_EQ(called, 6);
}

TEST(Batcher, ASlotCancelsWhatWaitsAndFreesTheWaiterOfWhatRuns) {
    asio::io_context io;
    gate_keeper keeper;
    batcher<int, std::string> b(
        io.get_executor(), [&](const std::vector<int>& n) { return keeper(n); }, {}, one_worker());
    asio::cancellation_signal running, waiting;
    std::vector<std::error_code> codes;
    const auto note = [&](const std::exception_ptr& why, const std::string&) { codes.push_back(code_of(why)); };
    b.async_submit(1, asio::bind_cancellation_slot(running.slot(), note));
    keeper.begun.wait();
    b.async_submit(2, asio::bind_cancellation_slot(waiting.slot(), note));
    running.emit(asio::cancellation_type::terminal);
    waiting.emit(asio::cancellation_type::total);
    io.run();  // ends although the batch still runs
    EXPECT_EQ(codes, (std::vector<std::error_code>{errc::cancelled, errc::cancelled}));
    running.emit(asio::cancellation_type::terminal);  // too late: nothing happens
    keeper.open.count_down();
    EXPECT_EQ(b.stats().counters.cancelled, 2U);
}

TEST(Batcher, EachItemHasItsOwnErrorAndNoneIsForgotten) {
    asio::io_context io;
    batcher<int, int> b(
        io.get_executor(),
        [](batch_view<int, int> items) {
            for (auto& it : items) {
                if (it.request == 1) it.fail(std::make_exception_ptr(std::out_of_range("one")));
                if (it.request == 2) it.set(20);
            }
        },
        {}, one_worker());
    std::vector<std::string> told;
    for (int i = 1; i <= 3; ++i) {
        b.async_submit(
            i, [&](const std::exception_ptr& why, int v) { told.push_back(why ? text_of(why) : std::to_string(v)); });
    }
    io.run();
    std::sort(told.begin(), told.end());
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[0], "20");
    EXPECT_EQ(told[1], "one");
    EXPECT_NE(told[2].find("no result for this request"), std::string::npos) << told[2];
}

TEST(Batcher, AListOfTheWrongLengthNamesBothLengths) {
    asio::io_context io;
    batcher<int, int> b(
        io.get_executor(),
        [](const std::vector<int>&) {
            return std::vector<int>{1, 2, 3};
        },
        {}, one_worker());
    std::exception_ptr got;
    b.async_submit(1, [&](std::exception_ptr why, int) { got = std::move(why); });
    io.run();
    EXPECT_EQ(code_of(got), errc::bad_result);
    EXPECT_NE(text_of(got).find("given 1 requests and answered with 3 results"), std::string::npos) << text_of(got);
}

TEST(Batcher, AListMayHoldErrors) {
    asio::io_context io;
    batcher<int, int> b(
        io.get_executor(),
        [](const std::vector<int>& numbers) {
            std::vector<result<int>> out;
            for (const int n : numbers) {
                if (n == 0) {
                    out.emplace_back(std::make_exception_ptr(std::domain_error("zero")));
                } else {
                    out.emplace_back(100 / n);
                }
            }
            return out;
        },
        {}, one_worker());
    std::string told;
    b.async_submit(0, [&](const std::exception_ptr& why, int) { told += text_of(why); });
    io.run();
    io.restart();
    b.async_submit(4, [&](const std::exception_ptr&, int v) { told += ' ' + std::to_string(v); });
    io.run();
    EXPECT_EQ(told, "zero 25");
}

TEST(Batcher, MoveOnlyRequestsAndAnswersPassThrough) {
    asio::io_context io;
    using box = std::unique_ptr<int>;
    batcher<box, box> b(
        io.get_executor(), [](std::vector<box> boxes) { return boxes; }, {}, one_worker());
    int got = 0;
    b.async_submit(std::make_unique<int>(5), [&](const std::exception_ptr&, box v) { got = *v; });
    io.run();
    EXPECT_EQ(got, 5);
}

batcher_options<int> with_keys(batch_options options = {}) {
    batcher_options<int> o{options};
    o.hash = [](const int& n) { return static_cast<std::uint64_t>(n % 10); };  // 3 and 13 share a hash
    o.same = [](const int& a, const int& b) { return a == b; };
    return o;
}

TEST(Batcher, EqualKeysShareOneRequestAndEqualHashesDoNot) {
    asio::io_context io;
    gate_keeper keeper;
    std::atomic<int> requests{0};
    batcher<int, std::string> b(
        io.get_executor(),
        [&](const std::vector<int>& n) {
            requests += static_cast<int>(n.size());
            return keeper(n);
        },
        with_keys(), one_worker());
    strings told;
    const auto note = [&](const std::exception_ptr&, const std::string& s) { told.push_back(s); };
    b.async_submit(0, [](auto&&...) {});
    keeper.begun.wait();
    for (const int n : {3, 13, 3, 13, 3}) b.async_submit(n, note);
    keeper.open.count_down();
    io.run();
    std::sort(told.begin(), told.end());
    EXPECT_EQ(told, (strings{"26", "26", "6", "6", "6"}));
    EXPECT_EQ(requests, 3);
    EXPECT_EQ(b.stats().counters.dedupe_hits, 3U);
}

TEST(Batcher, TheCacheAnswersUntilItIsTold) {
    asio::io_context io;
    int batches = 0;
    batcher<int, std::string> b(
        io.get_executor(),
        [&](const std::vector<int>& n) {
            ++batches;
            return doubled(n);
        },
        with_keys({.cache_size = 10}), one_worker());
    strings told;
    const auto ask = [&](int n) {
        b.async_submit(n, [&](const std::exception_ptr&, const std::string& s) { told.push_back(s); });
        io.restart();
        io.run();
    };
    ask(3);
    ask(3);
    b.prime(4, "four");
    ask(4);
    b.forget(3);
    ask(3);
    EXPECT_EQ(told, (strings{"6", "6", "four", "6"}));
    EXPECT_EQ(batches, 2);
    b.forget_all();
    EXPECT_EQ(b.stats().cached, 0U);
}

TEST(Batcher, CallablesThatThrowFailTheirCallOnly) {
    asio::io_context io;
    auto options = with_keys();
    options.hash = [](const int& n) -> std::uint64_t {
        if (n == 1) throw std::runtime_error("no hash");
        return 7;
    };
    options.same = [](const int&, const int&) -> bool { throw std::runtime_error("no comparison"); };
    options.weigh = [](const int& n) -> std::uint32_t {
        if (n == 2) throw std::runtime_error("no weight");
        return 1;
    };
    batcher<int, std::string> b(io.get_executor(), doubled, options, one_worker());
    std::string told;
    for (const int n : {1, 2}) {
        b.async_submit(n, [&](const std::exception_ptr& why, auto&&) { told += text_of(why) + '.'; });
        io.restart();
        io.run();
    }
    EXPECT_EQ(told, "no hash.no weight.");
    strings good;
    for (const int n : {3, 4, 5}) {
        b.async_submit(n, [&](const std::exception_ptr&, const std::string& s) { good.push_back(s); });
    }
    io.restart();
    io.run();
    std::sort(good.begin(), good.end());
    EXPECT_EQ(good, (strings{"10", "6", "8"})) << "what cannot be compared is a call of its own";
}

TEST(Batcher, AFunctionMayAnswerLater) {
    asio::io_context io;
    std::vector<batch_call<int, std::string>> calls;
    batcher<int, std::string> b(io.get_executor(),
                                [&](batch_call<int, std::string> c) { calls.push_back(std::move(c)); });
    strings told;
    const auto note = [&](const std::exception_ptr& why, const std::string& s) {
        told.push_back(why ? text_of(why) : s);
    };
    b.async_submit(1, note);
    ASSERT_EQ(calls.size(), 1U);
    b.async_submit(2, note);
    auto first = std::move(calls[0]);
    first.complete(doubled(first.requests()));
    ASSERT_EQ(calls.size(), 2U);
    calls[1].fail(std::make_exception_ptr(std::runtime_error("gone")));
    io.run();
    EXPECT_EQ(told, (strings{"2", "gone"}));
    calls.clear();
}

TEST(Batcher, HandlersOfAContextThatEndsAreDestroyedUncalled) {
    const auto token = std::make_shared<int>(1);
    bool called = false;
    {
        asio::io_context io;
        batcher<int, std::string> b(io.get_executor(), doubled, {}, one_worker());
        b.async_submit(1, [&called, token](auto&&...) { called = true; });
        b.shutdown(stop_mode::drain);
        EXPECT_TRUE(b.wait_stopped());
    }
    EXPECT_FALSE(called);
    EXPECT_EQ(token.use_count(), 1);
}

TEST(Batcher, DroppingItCancelsWhatWaitsAndWaitsForWhatRuns) {
    asio::io_context io;
    gate_keeper keeper;
    strings told;
    const auto note = [&](const std::exception_ptr& why, const std::string& s) {
        told.push_back(why ? code_of(why).message() : s);
    };
    std::thread opener;
    {
        batcher<int, std::string> b(
            io.get_executor(), [&](const std::vector<int>& n) { return keeper(n); }, {}, one_worker());
        b.async_submit(1, note);
        keeper.begun.wait();
        b.async_submit(2, note);
        b.shutdown(stop_mode::cancel);
        opener = std::thread([&] { keeper.open.count_down(); });
    }
    io.run();
    opener.join();
    EXPECT_EQ(told, (strings{"cancelled", "2"}));
}

TEST(Batcher, UsesTheHandlersAllocator) {
    struct counting final : std::pmr::memory_resource {
        int live = 0, total = 0;
        void* do_allocate(std::size_t n, std::size_t a) override {
            ++live, ++total;
            return std::pmr::new_delete_resource()->allocate(n, a);
        }
        void do_deallocate(void* p, std::size_t n, std::size_t a) override {
            --live;
            std::pmr::new_delete_resource()->deallocate(p, n, a);
        }
        bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
    } memory;
    struct handler {
        using allocator_type = std::pmr::polymorphic_allocator<void>;
        allocator_type get_allocator() const noexcept { return allocator_type(resource); }
        void operator()(const std::exception_ptr&, const std::string& s) const { *got = s; }
        std::pmr::memory_resource* resource;
        std::string* got;
    };
    asio::io_context io;
    std::string got;
    {
        batcher<int, std::string> b(io.get_executor(), doubled, {}, one_worker());
        b.async_submit(4, handler{&memory, &got});
        io.run();
    }
    EXPECT_EQ(got, "8");
    EXPECT_EQ(memory.total, 1);
    EXPECT_EQ(memory.live, 0);
}

TEST(Batcher, RefusesHalfAKey) {
    asio::io_context io;
    batcher_options<int> o;
    o.hash = [](const int&) { return std::uint64_t{1}; };
    EXPECT_THROW((batcher<int, std::string>(io.get_executor(), doubled, o, one_worker())), std::invalid_argument);
}

}  // namespace
}  // namespace headrace::batch
