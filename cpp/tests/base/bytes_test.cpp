#include <gtest/gtest.h>

#include <cstdint>
#include <headrace/base/bytes.hpp>

namespace headrace {
namespace {

TEST(Bytes, AreLittleEndianAtAnyAlignment) {
    std::string out = "x";
    append_bytes(out, std::uint32_t{0x04030201});
    EXPECT_EQ(out, "x\x01\x02\x03\x04");
    EXPECT_EQ(load<std::uint32_t>(out.data() + 1), 0x04030201U);
    store(out.data() + 1, std::int16_t{-2});
    EXPECT_EQ(load<std::int16_t>(out.data() + 1), -2);
}

}  // namespace
}  // namespace headrace
