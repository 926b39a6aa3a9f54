#include <headrace/net/alarm.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

// A ring that is ending holds the runtime, which must end here and not on a thread of its own.
struct own_runtime {
    ~own_runtime() {
        while (shared.use_count() != 1) std::this_thread::yield();
    }
    const std::shared_ptr<runtime> shared = std::make_shared<runtime>();
};

TEST(alarm, rings_at_the_earliest_moment_asked_for) {
    const own_runtime own;
    const auto& r = own.shared;
    std::promise<ns> rang;
    alarm a(r, [&](ns now) {
        rang.set_value(now);
        return alarm::never;
    });
    const ns soon = monotonic_now() + 2ms;
    a.ring_by(soon + 1h);
    a.ring_by(soon);
    a.ring_by(soon + 2h);
    EXPECT_EQ(a.set_for(), soon);
    EXPECT_GE(rang.get_future().get(), soon);
    EXPECT_EQ(a.set_for(), alarm::never);
}

TEST(alarm, rings_again_when_its_callback_asks) {
    const own_runtime own;
    const auto& r = own.shared;
    std::atomic<int> rings{0};
    std::promise<void> third;
    alarm a(r, [&](ns now) {
        if (++rings == 3) third.set_value();
        return rings < 3 ? now : alarm::never;
    });
    a.ring_by(ns{0});
    third.get_future().get();
    EXPECT_EQ(rings, 3);
}

TEST(alarm, does_not_ring_after_stop) {
    const own_runtime own;
    const auto& r = own.shared;
    std::atomic<bool> stopped{false};
    std::atomic<int> late{0}, rings{0};
    alarm a(r, [&](ns now) {
        if (stopped) ++late;
        ++rings;
        return now;
    });
    a.ring_by(ns{0});
    while (rings == 0) std::this_thread::yield();
    a.stop();
    stopped = true;
    std::promise<void> passed;
    r->thread(0).post([&] { r->thread(0).post([&] { passed.set_value(); }); });
    passed.get_future().get();
    EXPECT_EQ(late, 0);
}

TEST(alarm, may_be_stopped_by_its_own_callback) {
    const own_runtime own;
    const auto& r = own.shared;
    std::promise<void> gone;
    std::unique_ptr<alarm> a;
    a = std::make_unique<alarm>(r, [&](ns) {
        a->stop();
        gone.set_value();
        return alarm::never;
    });
    a->ring_by(ns{0});
    gone.get_future().get();
}

}  // namespace
}  // namespace headrace::net
