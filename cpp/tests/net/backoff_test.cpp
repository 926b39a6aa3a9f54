#include <gtest/gtest.h>

#include <headrace/net/backoff.hpp>

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

TEST(backoff, doubles_with_jitter_up_to_its_maximum) {
    backoff b({10ms, 80ms}, 1);
    for (const ns bound : {ns{10ms}, ns{20ms}, ns{40ms}, ns{80ms}, ns{80ms}, ns{80ms}}) {
        const ns wait = b.next();
        EXPECT_GE(wait, bound / 2);
        EXPECT_LE(wait, bound);
    }
}

TEST(backoff, starts_again_after_a_success) {
    backoff b({10ms, 1s}, 1);
    for (int i = 0; i < 100; ++i) b.next();
    b.reset();
    EXPECT_LE(b.next(), 10ms);
}

}  // namespace
}  // namespace headrace::net
