#include <gtest/gtest.h>

#include <headrace/base/notice.hpp>
#include <vector>

namespace headrace {
namespace {

struct numbered final : notice {
    numbered(int n, std::vector<int>& out) : number(n), log(out) {}
    void told() noexcept override {
        log.push_back(number);
        delete this;  // allowed
    }
    int number;
    std::vector<int>& log;
};

TEST(Notices, AreToldOnceInTheirOrder) {
    std::vector<int> log;
    notices due, room, open;
    for (int i = 0; i < 3; ++i) room.add(*new numbered(i, log));
    open.add(*new numbered(9, log));
    due.take(open);
    due.take(room);
    due.take(room);
    EXPECT_TRUE(room.empty());
    due.tell();
    due.tell();
    EXPECT_EQ(log, (std::vector<int>{9, 0, 1, 2}));
    room.add(*new numbered(5, log));
    room.tell();
    EXPECT_EQ(log.back(), 5);
}

}  // namespace
}  // namespace headrace
