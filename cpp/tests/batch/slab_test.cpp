#include <gtest/gtest.h>

#include <cstring>
#include <headrace/batch/slab.hpp>
#include <set>
#include <thread>
#include <vector>

namespace headrace::batch {
namespace {

TEST(Slab, BlocksInUseDoNotOverlap) {
    std::vector<std::pair<unsigned char*, std::size_t>> blocks;
    for (std::size_t i = 0; i < 5000; ++i) {
        const std::size_t size = 1 + i % 600;  // also above the largest class
        auto* b = static_cast<unsigned char*>(slab::take(size));
        std::memset(b, static_cast<int>(i % 251), size);
        blocks.emplace_back(b, size);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const auto [b, size] = blocks[i];
        for (std::size_t k = 0; k < size; ++k) ASSERT_EQ(b[k], i % 251) << "block " << i << " was written by another";
    }
    for (const auto& [b, size] : blocks) slab::give(b, size);
}

// The usual way of a graph: one thread makes the units, another one frees them.
TEST(Slab, BlocksWanderBetweenThreads) {
    for (int round = 0; round < 20; ++round) {
        std::vector<void*> blocks(4000);
        std::thread([&] {
            for (auto& b : blocks) b = slab::take(160);
        }).join();
        EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), blocks.size());
        for (void* b : blocks) slab::give(b, 160);
    }
}

}  // namespace
}  // namespace headrace::batch
