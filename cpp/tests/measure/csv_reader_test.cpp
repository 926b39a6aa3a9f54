#include <gtest/gtest.h>

#include <headrace/measure/csv_reader.hpp>
#include <string>
#include <vector>

#include "temporary_file.hpp"

namespace headrace::measure {
namespace {

struct seen {
    csv_event event;
    std::string id;
    std::uint64_t line;
    bool operator==(const seen&) const = default;
};
void PrintTo(const seen& s, std::ostream* out) {
    *out << int(s.event) << ' ' << s.id << " line " << s.line;
}

std::vector<seen> read_all(const std::string& path, const csv_mark& from = {}) {
    csv_reader reader(path, from);
    std::vector<seen> out;
    csv_row r;
    for (csv_event e = reader.next(r); e != csv_event::end; e = reader.next(r)) {
        if (e == csv_event::failed) {
            ADD_FAILURE() << reader.error().message;
            break;
        }
        out.push_back({e, e == csv_event::row ? std::string(r.id) : "", r.line});
    }
    return out;
}

std::vector<seen> read_text(const std::string& text) {
    test::temporary_folder folder;
    return read_all(folder.file("x.csv", text));
}

constexpr auto row = csv_event::row;
constexpr auto unreadable = csv_event::unreadable;
constexpr auto torn = csv_event::torn;

TEST(CsvReader, ReadsOurOwnRowsAndTheirTimes) {
    test::temporary_folder folder;
    csv_reader reader(folder.file("x.csv", "m-1,1617516000.000000001,1617516000.000000002\nm-2,5\n"));
    csv_row r;
    ASSERT_EQ(reader.next(r), row);
    EXPECT_EQ(r.id, "m-1");
    EXPECT_EQ(r.first, 1617516000'000000001);
    EXPECT_EQ(r.second, 1617516000'000000002);
    ASSERT_EQ(reader.next(r), row);
    EXPECT_EQ(r.first, 5'000000000);
    EXPECT_EQ(r.second, absent);
    EXPECT_EQ(reader.next(r), csv_event::end);
    EXPECT_EQ(reader.next(r), csv_event::end);
}

TEST(CsvReader, CountsLinesThroughHeadersBlanksAndQuotedNewlines) {
    EXPECT_EQ(read_text("\xEF\xBB\xBFid,sent\r\n\r\na,1\r\n\"b\nb\",2\n\n bad \nc,3\n"),
              (std::vector<seen>{{row, "a", 3}, {row, "b\nb", 4}, {unreadable, "", 7}, {row, "c", 8}}));
}

TEST(CsvReader, OnlyTheFirstRowCanBeAHeader) {
    EXPECT_EQ(read_text("id,sent\nid,sent\na,1\n"), (std::vector<seen>{{unreadable, "", 2}, {row, "a", 3}}));
    EXPECT_EQ(read_text("a,1\nid,sent\n"), (std::vector<seen>{{row, "a", 1}, {unreadable, "", 2}}));
    EXPECT_EQ(read_text("a,nan\n"), (std::vector<seen>{{unreadable, "", 1}}));
    EXPECT_EQ(read_text("id,sent,acked"), (std::vector<seen>{}));
}

TEST(CsvReader, GoesOnBehindAQuoteThatIsNeverClosed) {
    EXPECT_EQ(read_text("a,1\n\"b,2\nc,3\nd,4\n"),
              (std::vector<seen>{{row, "a", 1}, {unreadable, "", 2}, {row, "c", 3}, {row, "d", 4}}));
}

TEST(CsvReader, ALastRowWithoutNewlineIsTornUnlessComplete) {
    EXPECT_EQ(read_text("a,1617516000,1617516000\nb,1617516000,1617516000").back(), (seen{row, "b", 2}));
    EXPECT_EQ(read_text("a,1617516000,1617516000\nb,1617516000,161751600").back(), (seen{torn, "", 2}));
    EXPECT_EQ(read_text("a,1617516000,1617516000\nb,1617516000").back(), (seen{torn, "", 2}));
    EXPECT_EQ(read_text("a,1617516000\nb,1617516000").back(), (seen{row, "b", 2}));
    EXPECT_EQ(read_text("a,1617516000\nb,161751600").back(), (seen{torn, "", 2}));
    EXPECT_EQ(read_text("a,1617516000.5,1617516000.25").back(), (seen{row, "a", 1}));
    EXPECT_EQ(read_text("a,\"1617516000\"").back(), (seen{row, "a", 1}));
}

TEST(CsvReader, RowsAcrossBufferEndsAreWhole) {
    // Ids of growing length put row ends at every place relative to the reader's chunks.
    std::string text;
    std::vector<seen> expected;
    for (std::size_t i = 0; i < 4000; ++i) {
        const std::string id = std::to_string(i) + std::string(i % 701, 'x') + (i % 3 == 0 ? "\n\"" : "");
        expected.push_back({row, id, 0});
        std::string quoted = id;
        if (i % 3 == 0) quoted = "\"" + std::to_string(i) + std::string(i % 701, 'x') + "\n\"\"\"";
        text += quoted + ",1617516000,1617516000\n";
    }
    auto got = read_text(text);
    for (seen& s : got) s.line = 0;
    EXPECT_EQ(got, expected);
}

TEST(CsvReader, AMarkGoesOnExactlyAsTheReaderWould) {
    test::temporary_folder folder;
    const std::string path = folder.file(
        "x.csv", "\xEF\xBB\xBFid,sent,acked\n\na,1617516000,1617516000\nx\n\"b\n\",1617516000,1617516000\nc,16,1");
    const auto all = read_all(path);
    csv_reader reader(path);
    csv_row r;
    for (std::size_t done = 0; done <= all.size(); ++done) {
        const auto rest = read_all(path, reader.mark());
        EXPECT_EQ(rest, std::vector<seen>(all.begin() + static_cast<std::ptrdiff_t>(done), all.end())) << done;
        reader.next(r);
    }
    EXPECT_EQ(all.back(), (seen{torn, "", 7}));
}

TEST(CsvReader, ARowBeyondItsLimitIsSkippedAsOne) {
    EXPECT_EQ(read_text("a,1\n" + std::string(3 << 20, 'x') + ",1\nb,2\n"),
              (std::vector<seen>{{row, "a", 1}, {unreadable, "", 2}, {row, "b", 3}}));
    EXPECT_EQ(read_text("a,1\n\"" + std::string(3 << 20, 'x') + "\",1\nb,2\n"),
              (std::vector<seen>{{row, "a", 1}, {unreadable, "", 2}, {row, "b", 3}}));
}

TEST(CsvReader, SaysWhatIsWrongWithAFile) {
    test::temporary_folder folder;
    csv_row r;
    csv_reader missing(folder.path() + "/none.csv");
    EXPECT_EQ(missing.next(r), csv_event::failed);
    EXPECT_EQ(missing.error().code, errc::not_found);
    EXPECT_EQ(missing.next(r), csv_event::failed);
    csv_reader directory(folder.path());
    EXPECT_EQ(directory.next(r), csv_event::failed);
    EXPECT_NE(directory.error().message.find("not a regular file"), std::string::npos);
}

}  // namespace
}  // namespace headrace::measure
