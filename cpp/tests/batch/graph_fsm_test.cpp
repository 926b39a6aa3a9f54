#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph_script.hpp"

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(GraphFsm, AUnitStartsWhenItsLastDependencyIsDone) {
    script s;
    s.add("a");
    s.add("b");
    s.add("c", {"a", "b"});
    EXPECT_EQ(s.take(), "a");
    EXPECT_EQ(s.take(), "b");
    EXPECT_EQ(s.take(), "");
    s.end("a");
    EXPECT_EQ(s.take(), "");
    s.end("b");
    EXPECT_EQ(s.take(), "c");
    s.end("c");
    EXPECT_THAT(s.decided(), ElementsAre("a", "b", "c"));
    EXPECT_TRUE(s.fsm.idle());
}

TEST(GraphFsm, ADependencyThatIsDoneAlreadyDelaysNothing) {
    script s;
    s.add("a", {}, {.body = false});
    s.add("b", {"a"});
    EXPECT_EQ(s.take(), "b");
    s.end("b");
}

TEST(GraphFsm, ADelayRunsFromTheEndOfTheDependencies) {
    script s;
    s.add("leaf", {}, {.body = false, .delay = 1ms});
    s.add("root", {"leaf"}, {.body = false, .delay = 1ms});
    EXPECT_EQ(s.fsm.next_due(), 1ms);
    s.now = 1200us;
    s.fsm.expire(s.now);
    EXPECT_EQ(s.state("leaf"), unit_state::done);
    EXPECT_EQ(s.fsm.next_due(), 2200us);
    s.fsm.expire(2199us);
    EXPECT_EQ(s.state("root"), unit_state::pending);
    s.fsm.expire(2200us);
    EXPECT_EQ(s.state("root"), unit_state::done);
}

TEST(GraphFsm, APriorityGoesFirstAndEqualOnesInOrder) {
    script s;
    s.add("low");
    s.add("high", {}, {.priority = 7});
    s.add("low too");
    EXPECT_EQ(s.take(), "high");
    EXPECT_EQ(s.take(), "low");
    EXPECT_EQ(s.take(), "low too");
    for (const char* n : {"low", "high", "low too"}) s.end(n);
}

TEST(GraphFsm, NoMoreBodiesRunThanTheLimitAllows) {
    script s(2);
    s.add("a");
    s.add("b", {}, {.remote = true});  // on an event loop: counts as well
    EXPECT_EQ(s.take(), "a");
    s.add("c");
    s.add("d", {}, {.remote = true});
    EXPECT_EQ(s.fsm.effects().remote.size(), 1U);
    EXPECT_EQ(s.take(), "");
    s.end("b");
    EXPECT_EQ(s.fsm.effects().remote.size(), 2U) << "d was not handed over";
    EXPECT_EQ(s.take(), "");
    s.end("a");
    EXPECT_EQ(s.take(), "c");
    s.end("c");
    s.end("d");
}

TEST(GraphFsm, AFailureReachesEveryDependantWithItsCause) {
    script s;
    s.add("load");
    s.add("parse", {"load"});
    s.add("render", {"parse"});
    s.add("other");
    s.take();
    s.fail("load", "no such user");
    EXPECT_EQ(s.state("render"), unit_state::failed);
    EXPECT_EQ(s["render"].cause(), &s["load"]);
    EXPECT_EQ(s["render"].why().code, errc::dependency_failed);
    EXPECT_EQ(s["render"].why().message,
              "unit 'render' did not run: unit 'load', which it depends on, failed: no such user");
    EXPECT_EQ(s.take(), "other");
    s.end("other");
    s.add("late", {"render"});  // of a unit that failed already
    EXPECT_EQ(s.state("late"), unit_state::failed);
    EXPECT_EQ(s["late"].cause(), &s["load"]);
}

TEST(GraphFsm, ACancelTakesDependantsAndWhatOnlyTheyNeeded) {
    script s;
    s.add("shared");
    s.add("only x");
    s.add("x", {"shared", "only x"});
    s.add("after x", {"x"});
    s.add("y", {"shared"});
    EXPECT_TRUE(s.fsm.cancel(s["x"], s.now));
    EXPECT_EQ(s.state("x"), unit_state::cancelled);
    EXPECT_EQ(s.state("after x"), unit_state::cancelled);
    EXPECT_EQ(s.state("only x"), unit_state::cancelled);
    EXPECT_EQ(s.state("shared"), unit_state::pending) << "y needs it";
    EXPECT_EQ(s.state("y"), unit_state::pending);
    EXPECT_EQ(s["after x"].why().message, "unit 'after x' was cancelled with unit 'x'");
    EXPECT_FALSE(s.fsm.cancel(s["x"], s.now));
    EXPECT_TRUE(s.fsm.cancel(s["y"], s.now));
    EXPECT_EQ(s.state("shared"), unit_state::cancelled);
    EXPECT_TRUE(s.fsm.idle());
}

TEST(GraphFsm, ACancelledBodyThatRunsIsDroppedAtItsEnd) {
    script s;
    s.add("a");
    s.take();
    EXPECT_TRUE(s.fsm.cancel(s["a"], s.now));
    EXPECT_FALSE(s.fsm.idle()) << "its body is alive";
    s.fail("a", "too late to matter");
    EXPECT_EQ(s.state("a"), unit_state::cancelled);
    EXPECT_FALSE(s["a"].thrown());
    EXPECT_THAT(s.decided(), ElementsAre("a"));
    EXPECT_TRUE(s.fsm.idle());
}

TEST(GraphFsm, ACancelledSleeperOrWaiterRunsOnToItsEnd) {
    script s;
    for (const char* n : {"sleeper", "waiter", "outside"}) s.add(n);
    s.add("slow", {}, {.body = false, .delay = 1h});
    s.take(), s.take(), s.take();
    s.suspend("sleeper", 1h);
    s.suspend("waiter", s["slow"]);
    s.suspend_outside("outside");
    EXPECT_EQ(s.take(), "");
    for (const char* n : {"sleeper", "waiter", "outside"}) EXPECT_TRUE(s.fsm.cancel(s[n], s.now));
    EXPECT_EQ(s.state("slow"), unit_state::cancelled) << "only the waiter needed it";
    EXPECT_EQ(s.take(), "sleeper");
    EXPECT_EQ(s.take(), "waiter");
    EXPECT_EQ(s.take(), "") << "what it waits for outside must come first";
    ASSERT_EQ(s.fsm.effects().abandoned.size(), 1U);
    s.fsm.wake(s["outside"]);
    EXPECT_EQ(s.take(), "outside");
    for (const char* n : {"sleeper", "waiter", "outside"}) s.end(n);
    EXPECT_TRUE(s.fsm.idle());
}

TEST(GraphFsm, ABodyResumesWhenTheUnitItAwaitsIsDecidedInAnyWay) {
    script s;
    s.add("parent");
    s.take();
    s.add("child");
    s.suspend("parent", s["child"]);
    EXPECT_EQ(s.take(), "child");
    s.fail("child", "boom");
    EXPECT_EQ(s.state("parent"), unit_state::pending);
    EXPECT_EQ(s.take(), "parent");
    s.suspend("parent", s["child"]);  // decided: at once
    EXPECT_EQ(s.take(), "parent");
    s.end("parent");
}

TEST(GraphFsm, AWakeMayComeBeforeTheSuspension) {
    script s;
    s.add("a");
    s.take();
    s.fsm.wake(s["a"]);
    s.suspend_outside("a");
    EXPECT_EQ(s.take(), "a");
    s.suspend_outside("a");
    EXPECT_EQ(s.take(), "") << "one wake resumes once";
    s.fsm.wake(s["a"]);
    EXPECT_EQ(s.take(), "a");
    s.end("a");
}

TEST(GraphFsm, ACycleIsRefusedAndNamed) {
    script s;
    s.add("gate", {}, {.body = false, .delay = 1h});
    s.add("a", {"gate"});
    s.add("b", {"a"});
    s.add("c", {"b"});
    const failure bad = s.fsm.depend(s["a"], s["c"]);
    EXPECT_EQ(bad.code, errc::invalid_argument);
    EXPECT_THAT(bad.message, HasSubstr("unit 'a' would wait for 'c', which waits for 'b', which waits for 'a'"));
    EXPECT_THAT(s.fsm.depend(s["a"], s["a"]).message, HasSubstr("'a' would wait for itself"));
    EXPECT_FALSE(s.fsm.depend(s["c"], s["a"]));
    s.now = 1h;
    s.fsm.expire(s.now);
    EXPECT_EQ(s.take(), "a");
    EXPECT_THAT(s.fsm.depend(s["a"], s["gate"]).message, HasSubstr("takes no more dependencies"));
    for (const char* n : {"a", "b", "c"}) s.end(n), s.take();
}

TEST(GraphFsm, AWaitThatWouldCloseACycleIsAnsweredNotKept) {
    script s;
    s.add("a");
    s.take();
    s.add("b", {"a"});
    s.add("c", {"b"});
    s.suspend("a", s["c"]);
    EXPECT_THAT(s["a"].wait.refused.message,
                HasSubstr("'a' would wait for 'c', which waits for 'b', which waits for 'a'"));
    EXPECT_EQ(s.take(), "a");
    for (const char* n : {"a", "b", "c"}) s.end(n), s.take();
}

TEST(GraphFsm, TwoBodiesCannotAwaitEachOther) {
    script s;
    s.add("a");
    s.add("b");
    s.take(), s.take();
    s.suspend("a", s["b"]);
    s.suspend("b", s["a"]);
    EXPECT_THAT(s["b"].wait.refused.message, HasSubstr("'b' would wait for 'a', which waits for 'b'"));
    EXPECT_EQ(s.take(), "b");
    s.end("b");
    EXPECT_EQ(s.take(), "a");
    s.end("a");
}

// A unit of a bulk may be awaited before the graph has it.
TEST(GraphFsm, AUnitThatClosesACycleWhenItIsAddedFails) {
    script s;
    s.add("a");
    s.take();
    scripted_node& late = s.make("late", {"a"});
    s.suspend("a", late);
    late.retain();
    s.fsm.add(late, s.now);
    EXPECT_EQ(s.state("late"), unit_state::failed);
    EXPECT_THAT(late.why().message, HasSubstr("'late' would wait for 'a', which waits for 'late'"));
    EXPECT_EQ(s.take(), "a");
    s.end("a");
}

TEST(GraphFsm, QuiescentMeansThatNoBodyIsReadyOrRunning) {
    script s;
    EXPECT_TRUE(s.fsm.quiescent());
    s.add("a");
    s.add("timer", {}, {.body = false, .delay = 1h});
    s.add("b", {"timer"});
    EXPECT_FALSE(s.fsm.quiescent());
    s.take();
    EXPECT_FALSE(s.fsm.quiescent());
    s.suspend_outside("a");
    EXPECT_TRUE(s.fsm.quiescent()) << "a sleeper does not count";
    s.fsm.wake(s["a"]);
    EXPECT_FALSE(s.fsm.quiescent()) << "woken counts before it runs";
    s.take();
    s.end("a");
    EXPECT_TRUE(s.fsm.quiescent());
}

TEST(GraphFsm, TheHistoryKeepsTheLastDecidedUnitsWithTheirEdges) {
    script s(0, 2);
    s.add("a", {}, {.body = false});
    s.add("b", {"a"}, {.body = false});
    s.add("c", {"b"}, {.body = false});
    s.add("d", {"c"});
    std::vector<std::string> seen;
    s.fsm.each_node([&](const graph_node& n) {
        graph_fsm::each_dependency(
            n, [&](const graph_node& d) { seen.push_back(std::string(d.name()) + ">" + std::string(n.name())); });
    });
    EXPECT_THAT(seen, ElementsAre("a>b", "b>c", "c>d"));
    s.take();
    s.end("d");
}

// Neither decisions nor releases may use the stack.
TEST(GraphFsm, ALongChainFailsAndIsReleasedWithoutRecursion) {
    constexpr std::size_t length = 200'000;
    graph_fsm fsm(0, length + 1);
    auto* first = new scripted_node("first", {});
    first->retain();
    fsm.add(*first, 0ns);
    graph_node* last = first;
    for (std::size_t i = 0; i < length; ++i) {
        auto* n = new scripted_node("", {.body = false});
        n->depends_on(*last);
        fsm.add(*n, 0ns);
        last = n;
    }
    fsm.take();
    first->fail(failure::of(errc::user_error, "broken"));
    fsm.end(*first, 0ns);
    EXPECT_EQ(fsm.counts().failed, length + 1);
    for (graph_node* n : fsm.effects().decided) graph_node::release(n);
    fsm.effects().decided.clear();
    graph_node::release(first);
}

}  // namespace
}  // namespace headrace::batch
