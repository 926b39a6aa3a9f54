#include <headrace/exec/process_pool_fsm.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace headrace::exec {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class noted_task final : public process_task {
public:
    void answered(bool, message_body&&) noexcept override {}
    void failed(const failure&) noexcept override {}
};

// Writes down what was asked for: "start 0", "send 0 a".
class noting_port final : public worker_port {
public:
    void start(std::size_t slot) override { note("start", slot); }
    void send(std::size_t slot, process_task& t) override {
        note("send", slot, " " + names[&t]);
        sent[slot].push_back(&t);
    }
    std::uint32_t revoke(std::size_t slot) override {
        note("revoke", slot);
        return begun[slot];
    }
    void finish(std::size_t slot) override { note("finish", slot); }
    void terminate(std::size_t slot) override { note("terminate", slot); }
    void kill(std::size_t slot) override { note("kill", slot); }

    std::vector<std::string> take() { return std::exchange(log, {}); }
    std::map<process_task*, std::string> names;
    std::map<std::size_t, std::uint32_t> begun;  // ever, by slot
    std::map<std::size_t, std::vector<process_task*>> sent;
    std::vector<std::string> log;

private:
    void note(const char* what, std::size_t slot, const std::string& more = "") {
        log.push_back(what + (" " + std::to_string(slot)) + more);
    }
};

class ProcessPoolFsm : public testing::Test {
protected:
    static process_options options(std::size_t workers) {
        process_options o;
        o.command = {"worker"};
        o.name = "pool";
        o.workers = workers;
        return o;
    }
    process_pool_fsm& make(process_options o) {
        pool_ = std::make_unique<process_pool_fsm>(std::move(o), port, 1);
        return *pool_;
    }
    noted_task& task(const std::string& name, ns deadline = ns::max()) {
        auto& t = tasks[name];
        t.deadline = deadline;
        port.names[&t] = name;
        return t;
    }
    void answer(std::size_t slot, const std::string& name, ns now) {
        answered_wrong = pool_->on_answer(slot, id_of(name), now) != &tasks[name];
        EXPECT_FALSE(answered_wrong) << name;
        pool_->on_round(now);
    }
    std::uint64_t id_of(const std::string& name) { return ids.at(name); }
    void submit(const std::string& name, ns now, ns deadline = ns::max()) {
        ASSERT_FALSE(pool_->submit(task(name, deadline), now));
        ids[name] = ++last_id;
    }
    std::vector<std::string> failures() {
        std::vector<std::string> out;
        for (const auto& [t, why] : pool_->take_failed()) out.push_back(port.names[t] + ": " + why.message);
        return out;
    }
    /// Both workers of a pool of two have answered short calls.
    void warm_two_up() {
        submit("w0", 0ms);
        submit("w1", 0ms);
        pool_->on_ready(0, 1ms);
        pool_->on_ready(1, 1ms);
        port.begun[0] = port.begun[1] = 1;
        answer(0, "w0", 1ms + 50us);
        answer(1, "w1", 1ms + 60us);
        port.take();
    }

    noting_port port;
    std::map<std::string, noted_task> tasks;
    std::map<std::string, std::uint64_t> ids;
    std::uint64_t last_id = 0;
    bool answered_wrong = false;
    std::unique_ptr<process_pool_fsm> pool_;
};

TEST_F(ProcessPoolFsm, StartsAWorkerPerWaitingCallUpToItsLimit) {
    auto& pool = make(options(2));
    submit("a", 0ms);
    EXPECT_THAT(port.take(), ElementsAre("start 0"));
    submit("b", 0ms);
    submit("c", 0ms);
    EXPECT_THAT(port.take(), ElementsAre("start 1"));
    pool.on_ready(1, 5ms);
    EXPECT_THAT(port.take(), ElementsAre("send 1 a"));
    pool.on_ready(0, 6ms);
    EXPECT_THAT(port.take(), ElementsAre("send 0 b"));
    answer(1, "a", 7ms);
    EXPECT_THAT(port.take(), ElementsAre("send 1 c"));
}

TEST_F(ProcessPoolFsm, AnIdleWorkerComesBeforeSendingAheadAndTheLastUsedFirst) {
    make(options(2));
    warm_two_up();
    submit("a", 2ms);
    EXPECT_THAT(port.take(), ElementsAre("send 1 a")) << "worker 1 answered last";
    submit("b", 2ms);
    EXPECT_THAT(port.take(), ElementsAre("send 0 b"));
    submit("c", 2ms);
    EXPECT_EQ(port.take().size(), 1U) << "both are busy with short calls: sent ahead";
}

TEST_F(ProcessPoolFsm, NothingIsSentAheadToAWorkerOfUnknownOrLongCalls) {
    auto& pool = make(options(1));
    submit("a", 0ms);
    pool.on_ready(0, 0ms);
    submit("b", 0ms);
    EXPECT_THAT(port.take(), ElementsAre("start 0", "send 0 a")) << "how long its calls take is not known";
    answer(0, "a", 500ms);
    submit("c", 500ms);
    EXPECT_THAT(port.take(), ElementsAre("send 0 b")) << "they take half a second";
}

TEST_F(ProcessPoolFsm, AWindowOfOneSendsNothingAhead) {
    auto o = options(1);
    o.window = 1;
    auto& pool = make(o);
    submit("a", 0ms);
    pool.on_ready(0, 0ms);
    answer(0, "a", 20us);
    submit("b", 20us);
    submit("c", 20us);
    EXPECT_THAT(port.take(), ElementsAre("start 0", "send 0 a", "send 0 b"));
}

// "short" is at worker 1, "long" and "behind" are at worker 0.
TEST_F(ProcessPoolFsm, ACallBehindALongOneGoesToAWorkerThatIsIdle) {
    auto& pool = make(options(2));
    warm_two_up();
    for (const auto* name : {"short", "long", "behind"}) submit(name, 2ms);
    EXPECT_THAT(port.take(), ElementsAre("send 1 short", "send 0 long", "send 0 behind"));
    port.begun[0] = 2;  // w0, and "long" runs
    answer(1, "short", 2ms + 50us);
    EXPECT_THAT(port.take(), IsEmpty()) << "it may end any moment";
    EXPECT_EQ(pool.next_tick(), 3ms);
    pool.on_tick(3ms);
    EXPECT_THAT(port.take(), ElementsAre("revoke 0", "send 1 behind"));
    EXPECT_EQ(pool.counters().returned, 1U);
    answer(1, "behind", 4ms);
    answer(0, "long", 5ms);
}

TEST_F(ProcessPoolFsm, AWorkerThatHasNotBegunAnythingLosesAllOfItsCallsToOthers) {
    auto& pool = make(options(2));
    warm_two_up();
    for (const auto* name : {"short", "asleep", "behind"}) submit(name, 2ms);
    port.take();
    port.begun[0] = 1;  // w0 alone: the process did not get the processor yet
    answer(1, "short", 2ms + 50us);
    pool.on_tick(3ms);
    EXPECT_THAT(port.take(), ElementsAre("revoke 0", "send 1 asleep", "send 0 behind")) << "nothing is left behind";
    answer(1, "asleep", 4ms);
    answer(0, "behind", 4ms);
}

TEST_F(ProcessPoolFsm, AnAnswerThatIsNotTheFirstOnesIsABreach) {
    auto& pool = make(options(2));
    warm_two_up();
    for (const auto* name : {"a", "b", "c"}) submit(name, 2ms);  // a: worker 1, b and c: worker 0
    EXPECT_EQ(pool.on_answer(0, id_of("c"), 2ms), nullptr) << "of this worker, but not its turn";
    EXPECT_EQ(pool.on_answer(0, id_of("a"), 2ms), nullptr) << "another worker's";
    EXPECT_EQ(pool.on_answer(0, 999, 2ms), nullptr);
    port.take();
    port.begun[0] = 2;
    pool.on_breach(0, "a worker answered what it was not asked", 2ms);
    EXPECT_THAT(port.take(), ElementsAre("revoke 0", "kill 0")) << "before it begins the next one";
    EXPECT_EQ(pool.on_answer(0, id_of("b"), 2ms), nullptr) << "nothing that it says counts any more";
}

TEST_F(ProcessPoolFsm, ACrashLosesOnlyWhatHadBegun) {
    auto& pool = make(options(2));
    warm_two_up();
    for (const auto* name : {"a", "b", "c"}) submit(name, 2ms);  // a: worker 1, b and c: worker 0
    port.take();
    port.begun[0] = 2;  // w0 and b
    pool.on_gone(0, "was killed by signal 11 (Segmentation fault)", 3ms);
    EXPECT_THAT(failures(), ElementsAre("b: pool: a worker was killed by signal 11 (Segmentation fault)"));
    EXPECT_THAT(port.take(), ElementsAre("revoke 0", "start 0")) << "c waits for a worker";
    answer(1, "a", 3ms);
    EXPECT_THAT(port.take(), ElementsAre("send 1 c"));
}

TEST_F(ProcessPoolFsm, ADeadlineStopsTheWorkerOfARunningCallAndSparesTheOthers) {
    auto& pool = make(options(1));
    submit("a", 0ms, 100ms);
    pool.on_ready(0, 1ms);
    port.begun[0] = 1;
    submit("b", 1ms);
    port.take();
    EXPECT_EQ(pool.next_tick(), 100ms);
    pool.on_tick(100ms);
    EXPECT_THAT(failures(), ElementsAre(HasSubstr("a: pool: ran into its deadline")));
    EXPECT_THAT(port.take(), testing::IsSupersetOf({"terminate 0", "start 1"}));
    pool.on_tick(1100ms);
    EXPECT_THAT(port.take(), ElementsAre("kill 0")) << "it did not end by itself within kill_grace";
    pool.on_ready(1, 1100ms);
    EXPECT_THAT(port.take(), ElementsAre("send 1 b"));
    EXPECT_EQ(pool.on_answer(0, id_of("a"), 1101ms), nullptr);
}

TEST_F(ProcessPoolFsm, ADeadlineThatPassesBehindAnotherCallStopsNobody) {
    auto& pool = make(options(2));
    warm_two_up();
    submit("a", 2ms);
    submit("b", 2ms);
    submit("late", 2ms, 10ms);
    port.take();
    port.begun[0] = 2;
    pool.on_tick(10ms);
    EXPECT_THAT(failures(), ElementsAre(HasSubstr("late: pool: no worker before the deadline")));
    EXPECT_THAT(port.take(), ElementsAre("revoke 0"));
    answer(1, "a", 11ms);
    answer(0, "b", 11ms);
}

TEST_F(ProcessPoolFsm, AWaitingCallFailsAtItsDeadline) {
    auto& pool = make(options(1));
    submit("a", 0ms, 5ms);
    EXPECT_EQ(pool.next_tick(), 5ms);
    pool.on_tick(5ms);
    EXPECT_THAT(failures(), ElementsAre("a: pool: no worker before the deadline"));
    EXPECT_EQ(pool.submit(task("b", 5ms), 5ms).code, errc::timed_out);
}

TEST_F(ProcessPoolFsm, GivesUpAfterWorkersThatDoNotGetReadyAndTriesWithOneLater) {
    auto o = options(2);
    o.breaker_failures = 3;
    o.breaker_reset = 5s;
    auto& pool = make(o);
    submit("a", 0ms);
    submit("b", 0ms);
    pool.on_gone(0, "was killed by signal 11", 1ms);
    pool.on_gone(1, "was killed by signal 11", 1ms);
    port.take();
    EXPECT_THAT(failures(), IsEmpty());
    EXPECT_GT(pool.next_tick(), 1ms) << "backs off";
    pool.on_tick(10s);
    EXPECT_THAT(port.take(), ElementsAre("start 0", "start 1"));
    pool.on_gone(0, "was killed by signal 11", 10s);
    EXPECT_THAT(failures(), ElementsAre("a: pool: gave up after 3 workers in a row: a worker was killed by signal 11",
                                        "b: pool: gave up after 3 workers in a row: a worker was killed by signal 11"));
    const auto refused = pool.submit(task("c"), 11s);
    EXPECT_EQ(refused.code, errc::worker_lost);
    EXPECT_THAT(refused.message, HasSubstr("signal 11"));
    pool.on_gone(1, "was killed by signal 11", 11s);
    port.take();
    submit("d", 20s);
    submit("e", 20s);
    EXPECT_THAT(port.take(), ElementsAre("start 0")) << "on trial";
    pool.on_ready(0, 21s);
    EXPECT_THAT(port.take(), ElementsAre("send 0 d", "start 1")) << "trusted again";
}

TEST_F(ProcessPoolFsm, AWorkerThatDoesNotGetReadyInTimeIsKilled) {
    auto o = options(1);
    o.start_timeout = 2s;
    auto& pool = make(o);
    submit("a", 0ms);
    port.take();
    EXPECT_EQ(pool.next_tick(), 2s);
    pool.on_tick(2s);
    EXPECT_THAT(port.take(), ElementsAre("kill 0"));
}

TEST_F(ProcessPoolFsm, RecyclesAfterSoManyCalls) {
    auto o = options(1);
    o.max_tasks_per_worker = 2;
    auto& pool = make(o);
    for (const auto* name : {"a", "b", "c"}) submit(name, 0ms);
    pool.on_ready(0, 1ms);
    answer(0, "a", 2ms);
    port.take();
    answer(0, "b", 3ms);
    EXPECT_THAT(port.take(), ElementsAre("finish 0", "start 1"));
    pool.on_gone(0, "exited with status 0", 4ms);
    pool.on_ready(1, 5ms);
    EXPECT_THAT(port.take(), ElementsAre("send 1 c"));
    EXPECT_EQ(pool.counters().recycled, 1U);
    EXPECT_EQ(pool.counters().crashed, 0U);
}

TEST_F(ProcessPoolFsm, RecyclesAWorkerThatHasGrownOnceItIsIdle) {
    auto o = options(1);
    o.max_memory = 1000;
    auto& pool = make(o);
    submit("a", 0ms);
    pool.on_ready(0, 1ms);
    port.begun[0] = 1;
    port.take();
    pool.on_memory(0, 1000, 2ms);
    EXPECT_THAT(port.take(), IsEmpty());
    pool.on_memory(0, 1001, 2ms);
    EXPECT_THAT(port.take(), ElementsAre("revoke 0")) << "its call goes on";
    answer(0, "a", 3ms);
    EXPECT_THAT(port.take(), ElementsAre("finish 0"));
}

TEST_F(ProcessPoolFsm, AFullQueueRefusesOrDropsTheOldest) {
    auto o = options(1);
    o.max_queue_size = 1;
    make(o);
    submit("a", 0ms);
    EXPECT_EQ(pool_->submit(task("b"), 0ms).code, errc::queue_full);
    o.on_full = full_policy::drop_oldest;
    auto& pool = make(o);
    ASSERT_FALSE(pool.submit(task("c"), 0ms));
    ASSERT_FALSE(pool.submit(task("d"), 0ms));
    EXPECT_THAT(failures(), ElementsAre("c: pool: dropped for a newer call"));
}

TEST_F(ProcessPoolFsm, CancelTakesOnlyWhatWaits) {
    auto& pool = make(options(1));
    submit("a", 0ms);
    submit("b", 0ms);
    pool.on_ready(0, 1ms);
    EXPECT_FALSE(pool.cancel(tasks["a"])) << "it was sent";
    EXPECT_TRUE(pool.cancel(tasks["b"]));
    EXPECT_FALSE(pool.cancel(tasks["b"])) << "once";
}

TEST_F(ProcessPoolFsm, ADrainFinishesWhatWaitsAndThenTheWorkers) {
    auto& pool = make(options(1));
    submit("a", 0ms);
    submit("b", 0ms);
    pool.on_ready(0, 1ms);
    pool.close(stop_mode::drain, 1ms);
    EXPECT_EQ(pool.submit(task("c"), 1ms).code, errc::closed);
    answer(0, "a", 2ms);
    port.take();
    answer(0, "b", 3ms);
    EXPECT_THAT(port.take(), ElementsAre("finish 0"));
    EXPECT_FALSE(pool.finished());
    pool.on_gone(0, "exited with status 0", 4ms);
    EXPECT_TRUE(pool.finished());
}

TEST_F(ProcessPoolFsm, CancelFailsWhatWaitsAndAWorkerThatDoesNotEndIsStopped) {
    auto& pool = make(options(1));
    submit("a", 0ms);
    submit("b", 0ms);
    pool.on_ready(0, 1ms);
    pool.close(stop_mode::cancel, 1ms);
    EXPECT_THAT(failures(), ElementsAre("b: pool: the pool was shut down"));
    answer(0, "a", 2ms);
    port.take();
    pool.on_tick(2ms + 5s);
    EXPECT_THAT(port.take(), ElementsAre("terminate 0"));
    pool.on_tick(2ms + 6s);
    EXPECT_THAT(port.take(), ElementsAre("kill 0"));
}

TEST_F(ProcessPoolFsm, KillFailsEverythingAtOnce) {
    auto& pool = make(options(1));
    submit("a", 0ms);
    submit("b", 0ms);
    pool.on_ready(0, 1ms);
    port.take();
    pool.kill_all(2ms);
    EXPECT_THAT(failures(),
                testing::UnorderedElementsAre("a: pool: the workers were killed", "b: pool: the workers were killed"));
    EXPECT_THAT(port.take(), ElementsAre("kill 0"));
    pool.on_gone(0, "was killed by signal 9", 3ms);
    EXPECT_TRUE(pool.finished());
}

TEST_F(ProcessPoolFsm, NothingIsDueWhenNothingWaits) {
    auto& pool = make(options(1));
    EXPECT_EQ(pool.next_tick(), ns::max());
    submit("a", 0ms);
    pool.on_ready(0, 1ms);
    EXPECT_EQ(pool.next_tick(), ns::max()) << "a call without a deadline runs";
    answer(0, "a", 2ms);
    EXPECT_EQ(pool.next_tick(), ns::max());
}

}  // namespace
}  // namespace headrace::exec
