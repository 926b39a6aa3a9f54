#include <gmock/gmock.h>

#include <limits>

#include "temporary_database.hpp"

namespace headrace::sqlite {
namespace {

using testing::HasSubstr;

constexpr auto every_type = "CREATE TABLE t (k INTEGER PRIMARY KEY, v); CREATE TABLE c (n TEXT COLLATE NOCASE)";

TEST(SqliteDatabase, AFileThatIsNotThereIsNotFound) {
    database db;
    const auto bad = database::open("/nowhere/at/all.db", {}, db);
    EXPECT_EQ(bad.code, make_error_code(errc::not_found));
    EXPECT_THAT(bad.message, HasSubstr("/nowhere/at/all.db"));
}

TEST(SqliteDatabase, EveryKindOfValueComesBackAsItWent) {
    const temporary_database file(every_type);
    database db;
    ASSERT_FALSE(database::open(file.path(), {access::read_write}, db));
    const row values = {std::monostate{},       std::numeric_limits<std::int64_t>::min(), 0.5,
                        std::string("a\0b", 3), blob{std::string("\xff\0", 2)},           blob{},
                        std::string{}};
    statement insert, select;
    ASSERT_FALSE(db.prepare("INSERT INTO t (v) VALUES (?)", insert));
    ASSERT_FALSE(db.prepare("SELECT v FROM t ORDER BY k", select));
    bool has_row = false;
    for (const auto& v : values) {
        ASSERT_FALSE(insert.bind(1, v));
        ASSERT_FALSE(insert.step(has_row));
        EXPECT_FALSE(has_row);
        insert.reset();
    }
    for (const auto& v : values) {
        ASSERT_FALSE(select.step(has_row));
        ASSERT_TRUE(has_row);
        EXPECT_EQ(select.column(0), v) << to_text(v);
    }
    EXPECT_FALSE(insert.read_only());
    EXPECT_TRUE(select.read_only());
}

TEST(SqliteDatabase, AMistakeInTheSqlIsToldWithTheFileAndTheReason) {
    const temporary_database file(every_type);
    database db;
    ASSERT_FALSE(database::open(file.path(), {}, db));
    statement s;
    const auto bad = db.prepare("SELECT missing FROM t", s);
    EXPECT_EQ(bad.code, make_error_code(errc::invalid_argument));
    EXPECT_THAT(bad.message, HasSubstr("no such column: missing"));
    EXPECT_THAT(bad.message, HasSubstr(file.path()));
    EXPECT_THAT(db.prepare("SELECT 1; SELECT 2", s).message, HasSubstr("more than one statement"));
    EXPECT_THAT(db.prepare("-- nothing", s).message, HasSubstr("no statement"));
    EXPECT_FALSE(db.prepare("SELECT 1; -- the only one", s));
    EXPECT_THAT(s.bind(1, std::int64_t{1}).message, HasSubstr("no parameter 1"));
}

TEST(SqliteDatabase, ReadOnlyMeansIt) {
    const temporary_database file(every_type);
    database db;
    ASSERT_FALSE(database::open(file.path(), {}, db));
    const auto bad = db.execute("INSERT INTO t (v) VALUES (1)");
    EXPECT_EQ(bad.code, make_error_code(errc::io_error));
    EXPECT_THAT(bad.message, HasSubstr("readonly"));
}

TEST(SqliteDatabase, AWritersLockIsReportedAfterTheBusyTimeout) {
    const temporary_database file(every_type);
    database writer, other;
    ASSERT_FALSE(database::open(file.path(), {access::read_write}, writer));
    ASSERT_FALSE(database::open(file.path(), {access::read_write, ns{0}}, other));
    ASSERT_FALSE(writer.execute("BEGIN EXCLUSIVE"));
    EXPECT_THAT(other.execute("BEGIN EXCLUSIVE").message, HasSubstr("locked"));
    ASSERT_FALSE(writer.execute("COMMIT"));
    EXPECT_FALSE(other.execute("BEGIN EXCLUSIVE"));
}

TEST(SqliteDatabase, AColumnKnowsItsSource) {
    const temporary_database file(every_type);
    database db;
    ASSERT_FALSE(database::open(file.path(), {}, db));
    statement s;
    ASSERT_FALSE(db.prepare("SELECT k, n AS other, k + 1 FROM t, c", s));
    EXPECT_EQ(s.source(0).declared_type, "INTEGER");
    EXPECT_EQ(s.source(0).collation, "BINARY");
    EXPECT_EQ(s.source(1).column, "n");
    EXPECT_EQ(s.source(1).collation, "NOCASE");
    EXPECT_EQ(s.source(2).table, "");
    EXPECT_EQ(s.column_name(1), "other");
}

TEST(SqliteValue, ComparesNumbersAsSqliteDoes) {
    EXPECT_EQ(comparable(2.0), comparable(std::int64_t{2}));
    EXPECT_NE(comparable(2.5), comparable(std::int64_t{2}));
    EXPECT_NE(comparable(std::string("2")), comparable(std::int64_t{2}));
    EXPECT_NE(comparable(blob{"x"}), comparable(std::string("x")));
    EXPECT_EQ(comparable(9.3e18), value{9.3e18});
    EXPECT_EQ(value_hash{}(comparable(2.0)), value_hash{}(comparable(std::int64_t{2})));
}

TEST(SqliteValue, LongTextsAreCutInMessages) {
    EXPECT_EQ(to_text(std::string("o'clock")), "'o'clock'");
    EXPECT_EQ(to_text(blob{"\x01\xff"}), "x'01ff'");
    EXPECT_EQ(to_text(std::monostate{}), "NULL");
    EXPECT_LT(to_text(std::string(1000, 'x')).size(), 60u);
}

}  // namespace
}  // namespace headrace::sqlite
