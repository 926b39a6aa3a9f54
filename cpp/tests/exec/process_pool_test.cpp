// The pool with real processes: cpp/tests/exec/test_worker.cpp does what the requests say.
#include <headrace/exec/process_pool.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <deque>
#include <stdexcept>
#include <thread>

namespace headrace::exec {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr ns patience = 30s;

class call final : public process_task {
public:
    explicit call(std::string order) { request.bytes = std::move(order); }
    void answered(bool is_error, message_body&& body) noexcept override {
        raised = is_error;
        answer = std::move(body);
        ++outcomes;
        settle();
    }
    void failed(const failure& reason) noexcept override {
        why = reason;
        ++outcomes;
        settle();
    }
    bool raised = false;
    message_body answer;
    failure why;
    std::atomic<int> outcomes{0};
};

process_options options(std::size_t workers = 1, std::string role = "good") {
    process_options o;
    o.command = {HEADRACE_TEST_WORKER, std::move(role)};
    o.name = "pool";
    o.workers = workers;
    o.kill_grace = 50ms;
    o.backoff_first = 1ms;
    return o;
}

TEST(ProcessPool, AnswersCalls) {
    process_pool pool(options());
    call one("hello"), two("raise");
    ASSERT_FALSE(pool.submit(one));
    ASSERT_FALSE(pool.submit(two));
    ASSERT_TRUE(pool.wait(one, patience));
    ASSERT_TRUE(pool.wait(two, patience));
    EXPECT_EQ(one.answer.bytes, "hello");
    EXPECT_FALSE(one.raised);
    EXPECT_TRUE(two.raised);
    pool.close(stop_mode::drain);
    EXPECT_TRUE(pool.wait_closed(patience));
    EXPECT_EQ(pool.stats().crashed, 0U) << "workers end when they are told to";
}

TEST(ProcessPool, EagerCallsAreAnsweredWithoutAWaiter) {
    process_pool pool(options(2));
    std::deque<call> calls;
    for (int i = 0; i < 200; ++i) {
        calls.emplace_back(std::to_string(i));
        calls.back().eager = true;
        ASSERT_FALSE(pool.submit(calls.back()));
    }
    for (auto& c : calls) {
        while (!c.settled()) std::this_thread::yield();
        EXPECT_EQ(c.answer.bytes, c.request.bytes);
    }
}

TEST(ProcessPool, ManyThreadsGetTheirOwnAnswers) {
    process_pool pool(options(2));
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 300; ++i) {
                call c(std::to_string(t) + "/" + std::to_string(i));
                c.eager = i % 7 == 0;
                if (pool.submit(c) || !pool.wait(c, patience) || c.answer.bytes != c.request.bytes) ++wrong;
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(pool.stats().answered, 1200U);
}

TEST(ProcessPool, AFunctionIsSentOnceAndCalledByItsNumber) {
    process_pool pool(options());
    const auto function = std::make_shared<process_function>();
    function->id = 7;
    function->body.bytes = "f:";
    for (const auto* order : {"a", "b"}) {
        call c(order);
        c.function = function;
        ASSERT_FALSE(pool.submit(c));
        ASSERT_TRUE(pool.wait(c, patience));
        EXPECT_EQ(c.answer.bytes, std::string("f:") + order);
    }
}

TEST(ProcessPool, LargePayloadsGoThroughSharedMemoryBothWays) {
    process_pool pool(options());
    slab_cache slabs;
    for (int round = 0; round < 5; ++round) {
        call c("");
        c.request.parts = {3, 1'000'000};
        std::uint64_t total = 0;
        const auto offsets = part_offsets(c.request.parts, total);
        c.request.slab = slabs.take(total);
        ASSERT_TRUE(c.request.slab);
        std::fill_n(c.request.slab->data() + offsets[1], 1'000'000, static_cast<char>('a' + round));
        c.request.slab->fill_all();
        ASSERT_FALSE(pool.submit(c));
        ASSERT_TRUE(pool.wait(c, patience));
        ASSERT_TRUE(c.answer.slab);
        ASSERT_TRUE(c.answer.slab->wait_filled(total));
        EXPECT_EQ(c.answer.slab->data()[offsets[1] + 999'999], static_cast<char>('a' + round));
        EXPECT_FALSE(c.request.slab->busy()) << "the worker gave it back";
        c.answer.slab->give_back();
    }
}

struct misfortune {
    const char* order;
    const char* text;
};
class ProcessPoolMisfortune : public testing::TestWithParam<misfortune> {};

TEST_P(ProcessPoolMisfortune, FailsItsOwnCallAndNoOther) {
    process_pool pool(options(1));
    call before("before"), bad(GetParam().order), after("after");
    ASSERT_FALSE(pool.submit(before));
    ASSERT_TRUE(pool.wait(before, patience));
    ASSERT_FALSE(pool.submit(bad));
    ASSERT_FALSE(pool.submit(after));
    ASSERT_TRUE(pool.wait(bad, patience));
    EXPECT_EQ(bad.why.code, errc::worker_lost);
    EXPECT_THAT(bad.why.message, HasSubstr(GetParam().text));
    ASSERT_TRUE(pool.wait(after, patience));
    EXPECT_EQ(after.answer.bytes, "after") << after.why.message;
    EXPECT_EQ(bad.outcomes, 1);
}

INSTANTIATE_TEST_SUITE_P(All, ProcessPoolMisfortune,
                         testing::Values(misfortune{"exit", "exited with status 0"},
                                         misfortune{"crash", "was killed by signal 9"},
                                         misfortune{"garbage", "wrote to its channel what is no message"},
                                         misfortune{"lie", "answered what it was not asked"}),
                         [](const auto& i) { return std::string(i.param.order); });

TEST(ProcessPool, ADeadlineStopsAWorkerThatHangsEvenOneThatIgnoresSigterm) {
    for (const auto* order : {"hang", "stubborn"}) {
        process_pool pool(options(1));
        call warm("warm"), hung(order), next("next");
        ASSERT_FALSE(pool.submit(warm));
        ASSERT_TRUE(pool.wait(warm, patience));
        const auto pids = pool.pids();
        hung.deadline = monotonic_now() + 50ms;
        ASSERT_FALSE(pool.submit(hung));
        ASSERT_FALSE(pool.submit(next));
        ASSERT_TRUE(pool.wait(hung, patience));
        EXPECT_EQ(hung.why.code, errc::timed_out);
        ASSERT_TRUE(pool.wait(next, patience));
        EXPECT_EQ(next.answer.bytes, "next") << order;
        pool.close(stop_mode::drain);
        ASSERT_TRUE(pool.wait_closed(patience));
        EXPECT_EQ(::kill(pids.at(0), 0), -1) << "it is gone";
    }
}

TEST(ProcessPool, CallsBehindALongOneMoveToAnotherWorker) {
    process_pool pool(options(2));
    std::deque<call> warm;
    for (int i = 0; i < 50; ++i) ASSERT_FALSE(pool.submit(warm.emplace_back("w")));
    for (auto& c : warm) ASSERT_TRUE(pool.wait(c, patience));
    call slow("sleep 400");
    ASSERT_FALSE(pool.submit(slow));
    std::deque<call> quick;
    for (int i = 0; i < 30; ++i) ASSERT_FALSE(pool.submit(quick.emplace_back("q")));
    for (auto& c : quick) ASSERT_TRUE(pool.wait(c, patience));
    EXPECT_FALSE(slow.settled()) << "a short call waited for a long one while a worker was idle";
    ASSERT_TRUE(pool.wait(slow, patience));
}

TEST(ProcessPool, GivesUpWhenWorkersDieAtTheirStart) {
    for (const auto& [role, text] : {std::pair{"die", "exited with status 3"}, {"refuse", "no such module"}}) {
        process_pool pool(options(2, role));
        call c("never");
        ASSERT_FALSE(pool.submit(c));
        ASSERT_TRUE(pool.wait(c, patience));
        EXPECT_EQ(c.why.code, errc::worker_lost);
        EXPECT_THAT(c.why.message, HasSubstr(text));
        call later("refused at once");
        EXPECT_THAT(pool.submit(later).message, HasSubstr("gave up"));
    }
}

TEST(ProcessPool, AProgramThatIsNotThereIsSaid) {
    auto o = options();
    o.command = {"/nowhere/at/all"};
    process_pool pool(o);
    call c("never");
    ASSERT_FALSE(pool.submit(c));
    ASSERT_TRUE(pool.wait(c, patience));
    EXPECT_THAT(c.why.message, HasSubstr("No such file"));
}

TEST(ProcessPool, CancelAndShutdownFailWhatWaits) {
    process_pool pool(options(1));
    call running("sleep 50"), cancelled("x"), waiting("y");
    ASSERT_FALSE(pool.submit(running));
    ASSERT_FALSE(pool.submit(cancelled));
    ASSERT_FALSE(pool.submit(waiting));
    EXPECT_TRUE(pool.cancel(cancelled));
    pool.close(stop_mode::cancel);
    ASSERT_TRUE(pool.wait(waiting, patience));
    EXPECT_EQ(waiting.why.code, errc::cancelled);
    EXPECT_TRUE(pool.wait_closed(patience));
    EXPECT_EQ(cancelled.outcomes, 0);
}

TEST(ProcessPool, RecyclesAfterSoManyCalls) {
    auto o = options(1);
    o.max_tasks_per_worker = 3;
    process_pool pool(o);
    for (int i = 0; i < 10; ++i) {
        call c("x");
        ASSERT_FALSE(pool.submit(c));
        ASSERT_TRUE(pool.wait(c, patience));
    }
    EXPECT_GE(pool.stats().recycled, 3U);
    EXPECT_EQ(pool.stats().crashed, 0U);
}

TEST(ProcessPool, AnIdlePoolUsesNoProcessorTime) {
    process_pool pool(options(1));
    call c("x");
    ASSERT_FALSE(pool.submit(c));
    ASSERT_TRUE(pool.wait(c, patience));
    call slow("sleep 300");
    timespec before{}, after{};
    ASSERT_FALSE(pool.submit(slow));
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    ASSERT_TRUE(pool.wait(slow, patience));
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    const auto used = std::chrono::seconds(after.tv_sec - before.tv_sec) + ns(after.tv_nsec - before.tv_nsec);
    EXPECT_LT(used, 60ms) << "somebody looks again and again";
}

TEST(ProcessPool, DroppingThePoolKillsWhatHangs) {
    call hung("stubborn");
    {
        process_pool pool(options(1));
        ASSERT_FALSE(pool.submit(hung));
    }
    EXPECT_EQ(hung.outcomes, 1);
    EXPECT_TRUE(hung.why.code == errc::worker_lost || hung.why.code == errc::cancelled);
}

TEST(ProcessPool, SettingsOutsideTheirRangeAreRefused) {
    auto o = options();
    o.window = 0;
    EXPECT_THROW(process_pool{o}, std::invalid_argument);
    o = options();
    o.command.clear();
    EXPECT_THROW(process_pool{o}, std::invalid_argument);
}

}  // namespace
}  // namespace headrace::exec
