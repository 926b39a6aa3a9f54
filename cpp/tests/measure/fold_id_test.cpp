#include <gtest/gtest.h>

#include <headrace/measure/fold_id.hpp>
#include <string>

namespace headrace::measure {
namespace {

std::string folded(std::string_view id) {
    const id_key key = fold_id(id);
    return std::string(id_of(key.data()));
}

TEST(FoldId, KeepsWhatFits) {
    EXPECT_EQ(folded("1e5"), "1e5");
    EXPECT_EQ(folded(""), "");
    const std::string forty(40, 'x');
    EXPECT_EQ(folded(forty), forty);
}

TEST(FoldId, FoldsLongIdsToFortyBytesAlikeEveryTime) {
    const std::string id(41, 'a');
    const std::string key = folded(id);
    EXPECT_EQ(key.size(), 40U);
    EXPECT_EQ(key.substr(0, 8), "aaaaaaa~");
    EXPECT_EQ(key, folded(id));
    EXPECT_NE(key, folded(id + "a"));
}

TEST(FoldId, HexDigitsAreTheCanonicalXxh3) {
    // The digest is what the xxhash module of Python gives (xxh3_128_hexdigest).
    EXPECT_EQ(folded("0123456789012345678901234567890123456789A"), "0123456~83cce2e9112f7f99b2880b37558a9b9b");
}

TEST(FoldId, FoldsIdsWithZeroBytes) {
    const std::string id("a\0", 2);
    EXPECT_EQ(folded(id).size(), 1 + 1 + 32U);
    EXPECT_NE(folded(id), folded("a"));
    EXPECT_NE(folded(std::string("a\0b", 3)), folded("a"));
}

TEST(FoldId, DoesNotCutAUtf8CharacterInTwo) {
    const std::string id = "abcdef\xC3\xA9" + std::string(40, 'x');
    EXPECT_EQ(folded(id).substr(0, 7), "abcdef~");
    const std::string whole = "abcde\xC3\xA9" + std::string(40, 'x');
    EXPECT_EQ(folded(whole).substr(0, 8), "abcde\xC3\xA9~");
}

}  // namespace
}  // namespace headrace::measure
