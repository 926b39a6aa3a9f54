#include <gtest/gtest.h>

#include <headrace/mq/receive_budget.hpp>
#include <string>
#include <thread>

namespace headrace::mq {
namespace {

std::uint64_t hash(int i) {
    return id_hash(std::to_string(i));
}

TEST(receive_budget, grants_no_more_than_its_count) {
    receive_budget b(10);
    EXPECT_EQ(b.reserve(7), 7U);
    EXPECT_EQ(b.reserve(7), 3U);
    EXPECT_EQ(b.reserve(7), 0U);
}

TEST(receive_budget, a_duplicate_gives_its_leave_back) {
    receive_budget b(2);
    b.reserve(2);
    const std::uint64_t first[] = {hash(1), hash(1)};
    EXPECT_EQ(b.received(first), 1U);
    EXPECT_FALSE(b.complete());
    EXPECT_EQ(b.reserve(5), 1U);
    const std::uint64_t second[] = {hash(2)};
    EXPECT_EQ(b.received(second), 0U);
    EXPECT_TRUE(b.complete());
}

TEST(receive_budget, without_a_limit_grants_everything_and_is_never_complete) {
    receive_budget b(0);
    EXPECT_EQ(b.reserve(1'000'000), 1'000'000U);
    EXPECT_FALSE(b.complete());
}

TEST(receive_budget, threads_together_take_exactly_the_count) {
    constexpr int count = 20'000;
    receive_budget b(count);
    std::atomic<int> next{0};
    std::atomic<int> taken{0};
    const auto worker = [&] {
        while (!b.complete()) {
            const auto leave = b.reserve(7);
            std::vector<std::uint64_t> ids;
            for (std::size_t i = 0; i < leave; ++i) ids.push_back(hash(next++));
            b.received(ids);
            taken += static_cast<int>(leave);
        }
    };
    std::thread a(worker), c(worker), d(worker);
    a.join();
    c.join();
    d.join();
    EXPECT_EQ(taken, count);
    EXPECT_EQ(b.distinct(), static_cast<std::uint64_t>(count));
}

}  // namespace
}  // namespace headrace::mq
