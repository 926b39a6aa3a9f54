#include <gtest/gtest.h>

#include <headrace/measure/csv_time.hpp>
#include <string>

namespace headrace::measure {
namespace {

std::int64_t ns(std::string_view text) {
    const parsed_time t = parse_time(text);
    EXPECT_EQ(t.fault, time_fault::none) << text << " " << explain(t.fault);
    return t.ns;
}

TEST(CsvTime, ReadsSecondsWithAnyFraction) {
    EXPECT_EQ(ns("1617516000"), 1617516000'000000000);
    EXPECT_EQ(ns("0"), 0);
    EXPECT_EQ(ns("1617516000.5"), 1617516000'500000000);
    EXPECT_EQ(ns("1617516000.123456789"), 1617516000'123456789);
    EXPECT_EQ(ns("1617516000.1234567899"), 1617516000'123456789) << "below a nanosecond is cut, not rounded";
    EXPECT_EQ(ns("09223372036"), 9223372036'000000000);
}

TEST(CsvTime, ReadsNanosecondsFrom17Digits) {
    EXPECT_EQ(ns("1617516000123456789"), 1617516000123456789);
    EXPECT_EQ(ns("16175160001234567"), 16175160001234567);
    EXPECT_EQ(ns("9223372036854775807"), INT64_MAX);
}

TEST(CsvTime, RefusesWhatMayBeAnotherUnit) {
    for (const char* text : {"161751600012", "1617516000123", "1617516000123456", "1617516000123.5"})
        EXPECT_EQ(parse_time(text).fault, time_fault::ambiguous) << text;
}

TEST(CsvTime, RefusesWhatIsNoPlainNumber) {
    EXPECT_EQ(parse_time("").fault, time_fault::empty);
    EXPECT_EQ(parse_time("-1").fault, time_fault::negative);
    EXPECT_EQ(parse_time("+1").fault, time_fault::negative);
    EXPECT_EQ(parse_time("1e9").fault, time_fault::exponent);
    EXPECT_EQ(parse_time("1.5E9").fault, time_fault::exponent);
    for (const char* text : {"nan", "inf", ".5", "5.", "1 2", "0x10", "1_000", "1.2.3", "1617516000123456789.0"})
        EXPECT_EQ(parse_time(text).fault, time_fault::not_a_number) << text;
}

TEST(CsvTime, RefusesWhatDoesNotFit64Bits) {
    for (const char* text : {"9223372036.854775808", "99999999999", "9223372036854775808", "99999999999999999999999"})
        EXPECT_EQ(parse_time(text).fault, time_fault::too_large) << text;
    EXPECT_EQ(ns("9223372036.854775807"), INT64_MAX);
}

TEST(CsvTime, TheShortcutAgreesWithTheRule) {
    const std::string digits = "1234567890.123456789";
    for (std::size_t i = 0; i < digits.size(); ++i) {
        for (const char c : {'0', '9', '.', '/', ':', ' ', 'e', '\xB5'}) {
            std::string text = digits;
            text[i] = c;
            std::int64_t quick = 0;
            const parsed_time careful = parse_time(text);
            if (parse_plain_seconds(text.data(), quick)) {
                EXPECT_EQ(careful.fault, time_fault::none) << text;
                EXPECT_EQ(quick, careful.ns) << text;
            }
        }
    }
    std::int64_t quick = 0;
    EXPECT_TRUE(parse_plain_seconds(digits.data(), quick));
    EXPECT_EQ(quick, 1234567890'123456789);
    EXPECT_FALSE(parse_plain_seconds("9999999999.000000000", quick));
}

}  // namespace
}  // namespace headrace::measure
