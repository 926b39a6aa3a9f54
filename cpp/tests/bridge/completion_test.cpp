#include <gtest/gtest.h>
#include <poll.h>

#include <bridge/completion.hpp>
#include <memory>
#include <thread>
#include <vector>

namespace headrace::bridge {
namespace {

using namespace std::chrono_literals;

class number final : public pending_result {
public:
    explicit number(int n, destruction d = destruction::anywhere) : pending_result(d), value(n) { ++alive; }
    ~number() override { --alive; }
    _object* to_python() override { return nullptr; }
    const int value;
    static inline std::atomic<int> alive{0};
};

bool readable(const completion_queue& q, int milliseconds = 0) {
    pollfd p{q.fd(), POLLIN, 0};
    return ::poll(&p, 1, milliseconds) == 1;
}

// What a Future does when it is bound and its result delivered, without Python.
number* bound(int n, completion_queue& q) {
    auto* r = new number(n);
    EXPECT_TRUE(r->bind(q));
    r->release_with_gil();
    return r;
}

std::vector<int> drain(completion_queue& q) {
    std::vector<int> values;
    for (auto* r = q.take(); r != nullptr;) {
        auto* next = r->next;
        values.push_back(static_cast<number*>(r)->value);
        q.unlink(*r);
        r->release_with_gil();
        r = next;
    }
    return values;
}

class Completion : public ::testing::Test {
protected:
    void TearDown() override {
        free_buried();
        EXPECT_EQ(number::alive, 0);
    }
    std::unique_ptr<completion_queue> queue = completion_queue::make();
};

TEST_F(Completion, ErrandsComeFromAnyThreadAndAreNotBound) {
    class errand final : public pending_result {
    public:
        explicit errand(std::atomic<int>& ran) noexcept
            : pending_result(destruction::anywhere, role::errand), ran_(ran) {}
        _object* to_python() override { return nullptr; }
        int run(bool) override { return ++ran_; }

    private:
        std::atomic<int>& ran_;
    };
    std::atomic<int> ran{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) {
                auto* e = new errand(ran);
                EXPECT_TRUE(queue->push(e, e));
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_TRUE(readable(*queue));
    EXPECT_EQ(queue->wakes(), 1U);
    for (auto* e = queue->take(); e != nullptr;) {
        auto* const following = e->next;
        EXPECT_TRUE(e->is_errand());
        EXPECT_FALSE(e->is_bound());
        e->run(false);
        e->release_with_gil();
        e = following;
    }
    EXPECT_EQ(ran, 400);
    EXPECT_EQ(queue->close(), nullptr);
    errand late(ran);
    EXPECT_FALSE(queue->push(&late, &late));
}

TEST_F(Completion, ArrivesOldestFirstAndWakesOnce) {
    number* r[3];
    for (int i = 0; i < 3; ++i) r[i] = bound(i, *queue);
    EXPECT_FALSE(readable(*queue));
    r[0]->next = r[1];
    r[1]->next = nullptr;
    pending_result::finish_chain(r[0]);
    pending_result::finish(*r[2]);
    EXPECT_TRUE(readable(*queue));
    EXPECT_EQ(queue->wakes(), 1u);
    EXPECT_EQ(drain(*queue), (std::vector<int>{0, 1, 2}));
    EXPECT_TRUE(queue->arm());
    EXPECT_FALSE(readable(*queue));
    EXPECT_EQ(queue->first_bound(), nullptr);
}

TEST_F(Completion, DoesNotWakeAnOwnerThatIsAwake) {
    pending_result::finish(*bound(0, *queue));
    EXPECT_EQ(drain(*queue), (std::vector<int>{0}));
    pending_result::finish(*bound(1, *queue));
    EXPECT_EQ(queue->wakes(), 1u);
    EXPECT_FALSE(queue->arm());
    EXPECT_TRUE(readable(*queue));
    EXPECT_EQ(drain(*queue), (std::vector<int>{1}));
    EXPECT_TRUE(queue->arm());
}

TEST_F(Completion, OneChainGoesToSeveralQueues) {
    std::vector<std::unique_ptr<completion_queue>> queues;
    for (int i = 0; i < 6; ++i) queues.push_back(completion_queue::make());
    pending_result* first = nullptr;
    for (int i = 59; i >= 0; --i) {
        auto* r = bound(i, *queues[static_cast<std::size_t>(i % 6)]);
        r->next = first;
        first = r;
    }
    pending_result::finish_chain(first);
    for (int i = 0; i < 6; ++i) {
        std::vector<int> expected;
        for (int v = i; v < 60; v += 6) expected.push_back(v);
        EXPECT_EQ(drain(*queues[static_cast<std::size_t>(i)]), expected);
    }
}

TEST_F(Completion, UnboundGoesNowhere) {
    auto* r = new number(1);
    pending_result::finish(*r);
    EXPECT_TRUE(r->done());
    EXPECT_FALSE(r->bind(*queue));
    EXPECT_FALSE(r->try_cancel());
    EXPECT_FALSE(readable(*queue));
    r->release_with_gil();
}

TEST_F(Completion, CancelWinsOnceAndTheEngineStillFinishes) {
    auto* r = bound(1, *queue);
    EXPECT_TRUE(r->try_cancel());
    EXPECT_FALSE(r->try_cancel());
    EXPECT_TRUE(r->cancelled());
    EXPECT_TRUE(r->wait(0ns));
    pending_result::finish(*r);
    EXPECT_EQ(drain(*queue), (std::vector<int>{1}));
}

TEST_F(Completion, AClosedQueueBuriesWhatComesLate) {
    auto* before = bound(1, *queue);
    auto* after = bound(2, *queue);
    pending_result::finish(*before);
    for (auto* r = queue->close(); r != nullptr; r = nullptr) {
        EXPECT_EQ(static_cast<number*>(r)->value, 1);
        queue->unlink(*r);
        r->release_with_gil();
    }
    pending_result::finish(*after);
    EXPECT_TRUE(any_buried());
    EXPECT_EQ(queue->first_bound(), after);
    free_buried();
    EXPECT_EQ(queue->first_bound(), nullptr);
    EXPECT_EQ(number::alive, 0);
    queue->reopen();
    pending_result::finish(*bound(3, *queue));
    EXPECT_EQ(drain(*queue), (std::vector<int>{3}));
}

TEST_F(Completion, WhatNeedsTheGilIsNotDestroyedByTheEngine) {
    auto* r = new number(1, pending_result::destruction::with_gil);
    r->release_with_gil();
    pending_result::finish(*r);
    EXPECT_EQ(number::alive, 1);
    EXPECT_TRUE(any_buried());
}

TEST_F(Completion, AThreadWaits) {
    auto* r = new number(1);
    EXPECT_FALSE(r->wait(1ms));
    std::thread engine([r] { pending_result::finish(*r); });
    EXPECT_TRUE(r->wait(1h));
    engine.join();
    r->release_with_gil();
}

// The owner binds and drains while engines finish and others cancel: each result is decided once and arrives once.
TEST_F(Completion, EveryResultArrivesExactlyOnce) {
    constexpr int engines = 3, each = 4000;
    std::vector<number*> work[engines];
    std::vector<number*> all;
    for (int i = 0; i < engines * each; ++i) {
        auto* r = bound(i, *queue);
        r->keep();  // for the cancelling thread
        all.push_back(r);
        work[i % engines].push_back(r);
    }
    std::vector<std::thread> threads;
    for (auto& mine : work) {
        threads.emplace_back([&mine] {
            for (std::size_t i = 0; i < mine.size();) {
                pending_result* first = mine[i];
                auto* last = first;
                for (std::size_t n = 0; n < i % 7 && i + 1 < mine.size(); ++n) last = last->next = mine[++i];
                last->next = nullptr;
                ++i;
                pending_result::finish_chain(first);
            }
        });
    }
    int cancelled = 0;
    threads.emplace_back([&] {
        for (std::size_t i = 0; i < all.size(); i += 3) cancelled += all[i]->try_cancel() ? 1 : 0;
        for (auto* r : all) r->release();
    });
    std::vector<int> seen(engines * each, 0);
    int late_cancels = 0;
    for (int count = 0; count < engines * each;) {
        ASSERT_TRUE(readable(*queue, 30'000));
        for (auto* r = queue->take(); r != nullptr; ++count) {
            auto* next = r->next;
            ++seen[static_cast<std::size_t>(static_cast<number*>(r)->value)];
            late_cancels += r->cancelled() ? 1 : 0;
            queue->unlink(*r);
            r->release_with_gil();
            r = next;
        }
        queue->arm();
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(seen, std::vector<int>(engines * each, 1));
    EXPECT_EQ(late_cancels, cancelled);
    EXPECT_EQ(queue->first_bound(), nullptr);
}

}  // namespace
}  // namespace headrace::bridge
