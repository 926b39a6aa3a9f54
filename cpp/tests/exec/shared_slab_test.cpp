#include <headrace/exec/shared_slab.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace headrace::exec {
namespace {

TEST(SharedSlab, BothEndsSeeOneMemory) {
    const auto sender = shared_slab::make(100'000);
    ASSERT_TRUE(sender);
    EXPECT_GE(sender->capacity(), 100'000U);
    const auto receiver = shared_slab::attach(::dup(sender->fd()), sender->id(), sender->capacity());
    ASSERT_TRUE(receiver);
    std::memcpy(sender->data(), "hello", 5);
    EXPECT_EQ(std::memcmp(receiver->data(), "hello", 5), 0);
    sender->take();
    EXPECT_EQ(receiver->filled(), 0U);
    receiver->give_back();
    EXPECT_TRUE(sender->busy()) << "it is still being filled";
    sender->fill_all();
    EXPECT_TRUE(receiver->wait_filled(100'000));
    EXPECT_FALSE(sender->busy());
}

TEST(SharedSlab, TheReceiverReadsWhileTheSenderWrites) {
    constexpr std::size_t pieces = 64, piece = 10'000;
    const auto slab = shared_slab::make(pieces * piece);
    slab->take();
    std::thread writer([&] {
        for (std::size_t i = 0; i < pieces; ++i) {
            std::memset(slab->data() + i * piece, static_cast<int>(i), piece);
            slab->fill_to((i + 1) * piece);
        }
        slab->fill_all();
    });
    for (std::size_t i = 0; i < pieces; ++i) {
        ASSERT_TRUE(slab->wait_filled((i + 1) * piece));
        EXPECT_EQ(slab->data()[(i + 1) * piece - 1], static_cast<char>(i));
    }
    writer.join();
}

TEST(SharedSlab, ADescriptorThatCouldShrinkIsRefused) {
    const int fd = ::memfd_create("plain", MFD_CLOEXEC);
    ASSERT_EQ(::ftruncate(fd, 1 << 20), 0);
    EXPECT_FALSE(shared_slab::attach(fd, 1, 1000)) << "its owner could take the pages away: SIGBUS";
}

TEST(SharedSlab, ACapacityLargerThanTheFileIsRefused) {
    const auto slab = shared_slab::make(1000);
    EXPECT_FALSE(shared_slab::attach(::dup(slab->fd()), 1, slab->capacity() + 1));
}

TEST(SlabCache, GivesTheSameOneAgainOnceItIsFree) {
    slab_cache cache;
    const auto first = cache.take(10'000);
    const auto second = cache.take(10'000);
    ASSERT_TRUE(first && second);
    EXPECT_NE(first, second) << "the first is in use";
    first->fill_all();
    first->give_back();
    EXPECT_EQ(cache.take(9'000), first);
}

TEST(SlabCache, LetsGoOfTheOldestWhenAllAreInUse) {
    slab_cache cache;
    const auto first = cache.take(1000);
    for (std::size_t i = 1; i <= slab_cache::most; ++i) ASSERT_TRUE(cache.take(1000));
    EXPECT_FALSE(first->retired()) << "its message is under way: receivers must still find it";
    first->fill_all();
    first->give_back();
    EXPECT_NE(cache.take(1000), first);
}

TEST(SlabCache, ASmallMessageDoesNotOccupyAHugeSlab) {
    slab_cache cache;
    const auto huge = cache.take(50'000'000);
    huge->fill_all();
    huge->give_back();
    EXPECT_NE(cache.take(1000), huge);
}

TEST(SlabTable, ForgetsWhatTheSenderHasRetired) {
    slab_table table;
    const auto one = shared_slab::make(1000), two = shared_slab::make(1000);
    table.add(one);
    EXPECT_EQ(table.find(one->id()), one);
    one->retire();
    table.add(two);
    EXPECT_EQ(table.find(one->id()), nullptr);
    EXPECT_EQ(table.find(two->id()), two);
}

}  // namespace
}  // namespace headrace::exec
