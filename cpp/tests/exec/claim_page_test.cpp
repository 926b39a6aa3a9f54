#include <headrace/exec/claim_page.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace headrace::exec {
namespace {

TEST(ClaimPage, WhatWasTakenBackIsNeverClaimed) {
    const auto pool = claim_page::make();
    const auto worker = claim_page::attach(::dup(pool->fd()));
    ASSERT_TRUE(pool && worker);
    const auto old = pool->epoch();
    EXPECT_TRUE(worker->claim(old));
    EXPECT_EQ(pool->revoke(), 1U);
    EXPECT_FALSE(worker->claim(old));
    EXPECT_TRUE(worker->claim(pool->epoch()));
    EXPECT_EQ(pool->revoke(), 2U);
}

TEST(ClaimPage, EveryCallIsEitherClaimedOrTakenBack) {
    for (int round = 0; round < 200; ++round) {
        const auto page = claim_page::make();
        std::uint32_t claimed = 0;
        std::thread worker([&] {
            while (page->claim(0)) ++claimed;
        });
        std::uint32_t begun = page->revoke();
        worker.join();
        EXPECT_EQ(begun, claimed);
    }
}

}  // namespace
}  // namespace headrace::exec
