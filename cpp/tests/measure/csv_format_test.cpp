#include <gtest/gtest.h>

#include <headrace/measure/csv_format.hpp>
#include <limits>

namespace headrace::measure {
namespace {

std::string epoch(std::int64_t t) {
    char text[max_time_text];
    return {text, write_epoch(t, text)};
}

std::string id(std::string_view raw) {
    std::string text(max_id_text(raw), '?');
    text.resize(static_cast<std::size_t>(write_id(raw, text.data()) - text.data()));
    return text;
}

TEST(CsvFormat, WritesEpochSecondsWithNineDecimals) {
    EXPECT_EQ(epoch(1'617'516'000'000'000'000), "1617516000.000000000");
    EXPECT_EQ(epoch(1'617'516'000'012'345'678), "1617516000.012345678");
    EXPECT_EQ(epoch(1'999'999'999'999'999'999), "1999999999.999999999");
}

TEST(CsvFormat, WritesTimesOfAnyMagnitude) {
    EXPECT_EQ(epoch(0), "0.000000000");
    EXPECT_EQ(epoch(5), "0.000000005");
    EXPECT_EQ(epoch(999'999'999'999'999'999), "999999999.999999999");
    EXPECT_EQ(epoch(-1'500'000'000), "-1.500000000");
    EXPECT_EQ(epoch(std::numeric_limits<std::int64_t>::max()), "9223372036.854775807");
    EXPECT_EQ(epoch(std::numeric_limits<std::int64_t>::min()), "-9223372036.854775808");
}

TEST(CsvFormat, QuotesOnlyWhatNeedsIt) {
    EXPECT_EQ(id("a1b2-0-17"), "a1b2-0-17");
    EXPECT_EQ(id("a b"), "a b");
    EXPECT_EQ(id(""), "");
    EXPECT_EQ(id("a,b"), "\"a,b\"");
    EXPECT_EQ(id("say \"x\""), "\"say \"\"x\"\"\"");
    EXPECT_EQ(id("two\nlines"), "\"two\nlines\"");
    EXPECT_EQ(id("\r"), "\"\r\"");
    EXPECT_EQ(id(" padded"), "\" padded\"");
    EXPECT_EQ(id("padded\t"), "\"padded\t\"");
}

TEST(CsvFormat, FindsTheEndOfTheLastWholeRow) {
    EXPECT_EQ(whole_rows("a,1,2\nb,1"), 6U);
    EXPECT_EQ(whole_rows("a,1,2\n\"b\n"), 6U) << "this line break is inside quotes";
    EXPECT_EQ(whole_rows("\"a\"\"\n\",1,\nb"), 10U);
    EXPECT_EQ(whole_rows("a,1"), 0U);
    EXPECT_EQ(whole_rows(""), 0U);
}

}  // namespace
}  // namespace headrace::measure
