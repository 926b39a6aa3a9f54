// Threads that add, cancel and wait at the same time: every unit is decided and told exactly once.
#include <gtest/gtest.h>

#include <headrace/batch/task_graph.hpp>
#include <random>
#include <thread>

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

struct told_counts {
    std::atomic<int> made{0}, told{0};
};

class counted_node final : public graph_node {
public:
    explicit counted_node(told_counts& c) : counts_(c) {
        body_ = true;
        tell_ = true;
        ++c.made;
    }

private:
    void on_decided() noexcept override {
        EXPECT_FALSE(told_.exchange(true)) << "told twice";
        ++counts_.told;
    }
    told_counts& counts_;
    std::atomic<bool> told_{false};
};

node_ref add_counted(graph_core& core, told_counts& counts, std::span<const node_ref> after) {
    auto* n = new counted_node(counts);
    node_ref handle = node_ref::adopt(n);
    if (!core.admit()) {
        core.refuse(*n, core.why_not());
    } else {
        n->retain_unshared();
        EXPECT_TRUE(core.prepare(*n, after));
        core.post(*n);
    }
    return handle;
}

TEST(GraphRaces, GrowingFromManyThreadsUnderCancels) {
    told_counts counts;
    task_graph g;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937 random(t);
            std::vector<node_ref> mine;
            for (int i = 0; i < 3000; ++i) {
                std::vector<node_ref> after;
                for (unsigned k = 0; !mine.empty() && k < random() % 3; ++k)
                    after.push_back(mine[random() % mine.size()]);
                mine.push_back(add_counted(g.core(), counts, after));
                if (random() % 16 == 0) g.cancel(mine[random() % mine.size()]);
                if (mine.size() > 50) mine.erase(mine.begin(), mine.begin() + 25);
            }
        });
    }
    for (auto& t : threads) t.join();
    ASSERT_TRUE(g.wait(60s));
    const graph_counts c = g.counts();
    EXPECT_EQ(c.done + c.failed + c.cancelled, 12'000U);
    EXPECT_EQ(c.undecided, 0U);
    EXPECT_TRUE(g.shutdown(stop_mode::drain, 20s));
    EXPECT_EQ(counts.told, counts.made);
}

TEST(GraphRaces, CancelAgainstCompletion) {
    task_graph g;
    for (int i = 0; i < 3000; ++i) {
        const auto a = g.submit([] { return 1; });
        const bool won = g.cancel(a);
        ASSERT_TRUE(a.wait(20s));
        ASSERT_EQ(a.state() == unit_state::cancelled, won);
    }
}

TEST(GraphRaces, ShutdownAgainstGrowth) {
    for (int round = 0; round < 50; ++round) {
        told_counts counts;
        {
            task_graph g;
            std::thread grower([&] {
                node_ref last;
                for (int i = 0; i < 200; ++i) {
                    std::vector<node_ref> after;
                    if (last) after.push_back(last);
                    last = add_counted(g.core(), counts, after);
                }
            });
            EXPECT_TRUE(g.shutdown(round % 2 == 0 ? stop_mode::cancel : stop_mode::drain, 20s));
            grower.join();
            EXPECT_TRUE(g.wait(20s));
        }
        EXPECT_EQ(counts.told, counts.made);
    }
}

TEST(GraphRaces, CoroutinesThatGrowSleepAndAreCancelled) {
    std::atomic<int> alive{0};
    {
        task_graph g;
        std::function<unit_task<int>(unit_context&, int)> grow = [&](unit_context& here, int depth) -> unit_task<int> {
            struct scope {
                explicit scope(std::atomic<int>& n) : count(n) { ++count; }
                ~scope() { --count; }
                std::atomic<int>& count;
            } const s(alive);
            if (depth == 0) co_return 1;
            unit<int> a = here.submit(grow, depth - 1);
            unit<int> b = here.submit(grow, depth - 1);
            co_await here.sleep(10us);
            co_return co_await a + co_await b;
        };
        const auto whole = g.submit(grow, 9);
        ASSERT_TRUE(whole.wait(60s));
        EXPECT_EQ(whole.get(), 512);
        const auto part = g.submit(grow, 9);
        while (g.counts().added < 1500) std::this_thread::yield();
        g.cancel(part);
        ASSERT_TRUE(g.wait(60s));
    }
    EXPECT_EQ(alive, 0) << "a coroutine was not unwound";
}

}  // namespace
}  // namespace headrace::batch
