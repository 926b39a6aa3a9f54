#include <gtest/gtest.h>

#include <random>

#include "fsm_model.hpp"

namespace headrace::batch {
namespace {

TEST(BatchFsmModel, KeepsItsPromisesUnderRandomEvents) {
    std::size_t items = 0, batches = 0;
    for (unsigned seed = 0; seed < 2000; ++seed) {
        std::mt19937 random(seed);
        std::vector<std::uint8_t> bytes(32 + random() % 600);
        for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
        fsm_model model(bytes);
        ASSERT_EQ(model.run(), "") << "seed " << seed;
        items += model.items();
        batches += model.batches();
    }
    EXPECT_GT(items, 50'000U) << "the events exercise the machine";
    EXPECT_GT(batches, 10'000U);
}

}  // namespace
}  // namespace headrace::batch
