#include <gtest/gtest.h>

#include <headrace/base/inline_text.hpp>
#include <headrace/base/ring.hpp>
#include <string>

namespace headrace {
namespace {

TEST(ring, keeps_order_while_it_wraps_and_grows) {
    ring<int> r;
    int pushed = 0;
    int popped = 0;
    for (int round = 0; round < 100; ++round) {
        for (int i = 0; i < 7; ++i) r.push_back() = pushed++;
        for (int i = 0; i < 5; ++i, ++popped) {
            ASSERT_EQ(r.front(), popped);
            r.pop_front();
        }
    }
    ASSERT_EQ(r.size(), static_cast<std::size_t>(pushed - popped));
    for (std::size_t i = 0; i < r.size(); ++i) EXPECT_EQ(r[i], popped + static_cast<int>(i));
}

TEST(inline_text, keeps_short_and_long_texts) {
    inline_text text;
    for (const std::size_t size : {0U, 1U, 47U, 48U, 300U, 3U}) {
        text.assign(std::string(size, 'x'));
        EXPECT_EQ(text.view(), std::string(size, 'x'));
    }
}

}  // namespace
}  // namespace headrace
