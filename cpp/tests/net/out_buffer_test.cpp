#include <gtest/gtest.h>

#include <array>
#include <headrace/net/out_buffer.hpp>
#include <random>
#include <string>

namespace headrace::net {
namespace {

std::string unsent(const out_buffer& b) {
    std::array<std::string_view, 64> pieces;
    std::string all;
    for (std::size_t i = 0, n = b.gather(pieces); i < n; ++i) all += pieces[i];
    return all;
}

TEST(out_buffer, gathers_what_was_appended_across_chunks) {
    out_buffer b;
    std::string expected;
    for (int i = 0; i < 3000; ++i) {
        const auto piece = std::string(static_cast<std::size_t>(i % 257), static_cast<char>('a' + i % 26));
        b.append(piece);
        expected += piece;
    }
    EXPECT_EQ(unsent(b), expected);
    EXPECT_EQ(b.unsent(), expected.size());
}

TEST(out_buffer, gather_is_bounded_by_the_pieces_offered) {
    out_buffer b;
    b.append(std::string(3 * out_buffer::chunk_size, 'x'));
    std::array<std::string_view, 2> pieces;
    EXPECT_EQ(b.gather(pieces), 2U);
    EXPECT_EQ(pieces[0].size() + pieces[1].size(), 2 * out_buffer::chunk_size);
}

TEST(out_buffer, gathers_only_what_lies_before_a_limit) {
    out_buffer b;
    b.append(std::string(out_buffer::chunk_size, 'x') + "yz");
    b.mark_sent(1);
    std::array<std::string_view, 4> pieces;
    EXPECT_EQ(b.gather(pieces, 1), 0U);
    EXPECT_EQ(b.gather(pieces, out_buffer::chunk_size + 1), 2U);
    EXPECT_EQ(pieces[0].size(), out_buffer::chunk_size - 1);
    EXPECT_EQ(pieces[1], "y");
}

TEST(out_buffer, rewind_sends_again_what_was_not_released) {
    out_buffer b;
    b.append("answered,");
    b.append("unanswered");
    b.mark_sent(19);
    b.release(9);
    EXPECT_EQ(unsent(b), "");
    b.rewind();
    EXPECT_EQ(unsent(b), "unanswered");
}

TEST(out_buffer, copies_a_range_to_another) {
    out_buffer from, to;
    std::string all;
    for (int i = 0; i < 20'000; ++i) all += std::to_string(i);
    from.append(all);
    from.mark_sent(70'000);
    from.release(70'000);
    from.copy_to(70'001, from.end(), to);
    EXPECT_EQ(unsent(to), all.substr(70'001));
}

TEST(out_buffer, behaves_as_a_string_under_random_use) {
    std::minstd_rand random(7);
    out_buffer b;
    std::string model;  // everything ever appended
    for (int i = 0; i < 5000; ++i) {
        switch (random() % 4) {
            case 0: {
                const std::string piece(random() % 5000, static_cast<char>('a' + i % 26));
                b.append(piece);
                model += piece;
                break;
            }
            case 1: b.mark_sent(random() % (b.unsent() + 1)); break;
            case 2: b.release(b.released() + random() % (b.sent() - b.released() + 1)); break;
            default:
                if (random() % 50 == 0) b.rewind();
        }
        std::array<std::string_view, 4> pieces;
        const auto n = b.gather(pieces);
        std::string shown;
        for (std::size_t k = 0; k < n; ++k) shown += pieces[k];
        ASSERT_EQ(shown, model.substr(b.sent(), shown.size()));
        ASSERT_EQ(b.end(), model.size());
    }
}

}  // namespace
}  // namespace headrace::net
