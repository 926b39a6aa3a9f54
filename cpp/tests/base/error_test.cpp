#include <gtest/gtest.h>

#include <headrace/base/error.hpp>
#include <set>

namespace headrace {
namespace {

TEST(Error, EveryCodeHasAMessageOfItsOwn) {
    std::set<std::string> seen;
    for (int value = static_cast<int>(errc::invalid_argument); value <= static_cast<int>(errc::forked); ++value) {
        const auto code = make_error_code(static_cast<errc>(value));
        EXPECT_NE(code.message(), "unknown error") << value;
        EXPECT_TRUE(seen.insert(code.message()).second) << code.message();
    }
}

TEST(Error, CodesCompareWithTheEnumAndKnowTheirCategory) {
    const std::error_code code = errc::queue_full;
    EXPECT_EQ(code, errc::queue_full);
    EXPECT_NE(code, errc::closed);
    EXPECT_STREQ(code.category().name(), "headrace");
    EXPECT_EQ(error_category().message(9999), "unknown error");
}

TEST(Error, AFailureIsTrueOnlyWithACode) {
    EXPECT_FALSE(failure{});
    const auto f = failure::of(errc::not_found, "no topic named x");
    EXPECT_TRUE(f);
    EXPECT_EQ(f.message, "no topic named x");
}

}  // namespace
}  // namespace headrace
