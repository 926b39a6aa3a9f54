// When a graph tells a batcher to send. The batcher is a stand-in that answers whole batches on a thread of its own.
#include <gtest/gtest.h>

#include <headrace/base/mutex.hpp>
#include <headrace/batch/task_graph.hpp>
#include <latch>
#include <thread>

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;
using sizes = std::vector<std::size_t>;

class fake_batcher {
public:
    fake_batcher() : link_(std::make_shared<link>(*this)), server_([this] { serve(); }) {}
    ~fake_batcher() {
        {
            lock_guard hold(m_);
            stopped_ = true;
        }
        changed_.notify_all();
        server_.join();
    }

    class call : public outside_wait {
    public:
        explicit call(fake_batcher& b) : batcher_(b) {}
        void await_resume() const { throw_if_cancelled(self()); }

    private:
        void begin() override {
            graph_core& core = unit_access::core(self());
            {
                lock_guard hold(batcher_.m_);
                batcher_.waiting_.push_back(this);
            }
            core.hold(batcher_.link_);
        }
        fake_batcher& batcher_;
    };
    call load() { return call(*this); }
    sizes sent() {
        lock_guard hold(m_);
        return sizes_;
    }

private:
    struct link : flushable {
        explicit link(fake_batcher& b) : batcher(b) {}
        void flush_held(bool) noexcept override {
            {
                lock_guard hold(batcher.m_);
                if (batcher.waiting_.empty()) return;
                batcher.sizes_.push_back(batcher.waiting_.size());
                for (call* c : std::exchange(batcher.waiting_, {})) batcher.sent_.push_back(c);
            }
            batcher.changed_.notify_all();
        }
        fake_batcher& batcher;
    };

    // As a batcher does it: one post for the whole batch, so that all are awake before the first one runs on.
    void serve() {
        for (;;) {
            std::vector<call*> batch;
            {
                lock_guard hold(m_);
                while (sent_.empty() && !stopped_) changed_.wait(m_);
                if (sent_.empty()) return;
                batch.swap(sent_);
            }
            outside_wait::resume_all(std::span<call* const>(batch));
        }
    }

    mutex m_;
    condition changed_;
    std::vector<call*> waiting_ HEADRACE_GUARDED_BY(m_), sent_ HEADRACE_GUARDED_BY(m_);
    sizes sizes_ HEADRACE_GUARDED_BY(m_);
    bool stopped_ HEADRACE_GUARDED_BY(m_) = false;
    std::shared_ptr<link> link_;
    std::thread server_;
};

// Only the test of the hold limit may meet it.
const task_graph_options patient{.hold_limit = 1h};

TEST(GraphHold, UnitsOfOneLevelMakeOneCall) {
    fake_batcher db;
    task_graph g(patient);
    {
        graph_bulk bulk(g);
        for (int i = 0; i < 700; ++i) {  // more than enter the graph at a time
            bulk.submit([&](unit_context&) -> unit_task<> {
                for (int level = 0; level < 3; ++level) co_await db.load();
            });
        }
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(db.sent(), (sizes{700, 700, 700}));
    EXPECT_EQ(g.stats().flushes, 3U);
    EXPECT_EQ(g.stats().limit_flushes, 0U);
}

TEST(GraphHold, ARaggedGraphMakesOneCallPerDepth) {
    fake_batcher db;
    task_graph g(patient);
    {
        graph_bulk bulk(g);
        for (int i = 1; i <= 10; ++i) {
            bulk.submit([&, i](unit_context&) -> unit_task<> {
                for (int level = 0; level < i; ++level) co_await db.load();
            });
        }
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(db.sent(), (sizes{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}));
}

TEST(GraphHold, LevelsMadeOfDependenciesMakeOneCallEach) {
    fake_batcher db;
    task_graph g(patient);
    {
        graph_bulk bulk(g);
        std::vector<node_ref> below;
        for (const std::size_t width : sizes{16, 8, 4}) {
            std::vector<node_ref> level;
            for (std::size_t i = 0; i < width; ++i) {
                level.push_back(
                    bulk.submit({.after = below}, [&](unit_context&) -> unit_task<> { co_await db.load(); }));
            }
            below = level;
        }
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(db.sent(), (sizes{16, 8, 4}));
}

TEST(GraphHold, ABodyThatRunsIsWaitedFor) {
    fake_batcher db;
    task_graph g(patient);
    std::latch others_wait(1);
    {
        graph_bulk bulk(g);
        for (int i = 0; i < 5; ++i) bulk.submit([&](unit_context&) -> unit_task<> { co_await db.load(); });
        bulk.submit([&](unit_context&) -> unit_task<> {
            others_wait.wait();  // busy, and may still join
            co_await db.load();
        });
    }
    while (g.counts().suspended < 5) std::this_thread::yield();
    EXPECT_TRUE(db.sent().empty());
    others_wait.count_down();
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(db.sent(), (sizes{6}));
}

TEST(GraphHold, TheHoldLimitEndsTheWaitForABodyThatRuns) {
    fake_batcher db;
    task_graph g({.hold_limit = 1ms});
    std::atomic<bool> served{false};
    {
        graph_bulk bulk(g);
        bulk.submit([&](unit_context&) -> unit_task<> {
            co_await db.load();
            served = true;
        });
        bulk.submit([&] {
            while (!served) std::this_thread::yield();  // a wait that the graph cannot see
        });
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(db.sent(), (sizes{1}));
    EXPECT_EQ(g.stats().limit_flushes, 1U);
}

TEST(GraphHold, ASleeperDoesNotHoldABatchBack) {
    fake_batcher db;
    task_graph g(patient);
    {
        graph_bulk bulk(g);
        bulk.submit([&](unit_context& here) -> unit_task<> {
            co_await here.sleep(1h);
            co_await db.load();
        });
        for (int i = 0; i < 3; ++i) bulk.submit([&](unit_context&) -> unit_task<> { co_await db.load(); });
    }
    while (g.counts().done < 3) std::this_thread::yield();
    EXPECT_EQ(db.sent(), (sizes{3}));
}

TEST(GraphHold, AUnitThatFailsBeforeItJoinsDoesNotStopTheOthers) {
    fake_batcher db;
    task_graph g(patient);
    {
        graph_bulk bulk(g);
        bulk.submit([&](unit_context&) -> unit_task<> {
            if (db.sent().empty()) throw std::runtime_error("before the call");
            co_await db.load();
        });
        for (int i = 0; i < 4; ++i) bulk.submit([&](unit_context&) -> unit_task<> { co_await db.load(); });
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(db.sent(), (sizes{4}));
    EXPECT_EQ(g.counts().failed, 1U);
}

TEST(GraphHold, TwoGraphsShareABatcher) {
    fake_batcher db;
    task_graph one(patient), two(patient);
    for (task_graph* g : {&one, &two}) {
        graph_bulk bulk(*g);
        for (int i = 0; i < 20; ++i) bulk.submit([&](unit_context&) -> unit_task<> { co_await db.load(); });
    }
    ASSERT_TRUE(one.wait(20s) && two.wait(20s));
    std::size_t items = 0;
    for (const std::size_t n : db.sent()) items += n;
    EXPECT_EQ(items, 40U);
}

TEST(GraphHold, WhoGrowsTheGraphFromOutsideHoldsTheFlushBack) {
    fake_batcher db;
    task_graph g(patient);
    {
        const graph_core::growing more(g.core());
        for (std::size_t i = 0; i < 10; ++i) {
            g.submit([&](unit_context&) -> unit_task<> { co_await db.load(); });
            while (g.counts().suspended <= i) std::this_thread::yield();
        }
        EXPECT_TRUE(db.sent().empty());
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(db.sent(), (sizes{10}));
}

TEST(GraphHold, ACancelWhileTheBatchWaits) {
    fake_batcher db;
    task_graph g(patient);
    std::vector<unit<>> units;
    {
        const graph_core::growing more(g.core());
        for (int i = 0; i < 6; ++i)
            units.push_back(g.submit([&](unit_context&) -> unit_task<> { co_await db.load(); }));
        while (g.counts().suspended < 6) std::this_thread::yield();
        EXPECT_TRUE(g.cancel(units[2]));
    }
    ASSERT_TRUE(g.wait(20s));
    EXPECT_EQ(units[2].state(), unit_state::cancelled);
    EXPECT_EQ(g.counts().done, 5U);
}

}  // namespace
}  // namespace headrace::batch
