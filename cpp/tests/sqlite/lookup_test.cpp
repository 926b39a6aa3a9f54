#include <gmock/gmock.h>
#include <sys/wait.h>

#include <headrace/sqlite/lookup.hpp>
#include <thread>

#include "temporary_database.hpp"

namespace headrace::sqlite {
namespace {

using testing::HasSubstr;

constexpr auto schema =
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, mail TEXT COLLATE NOCASE);"
    "INSERT INTO users VALUES (1, 'ada', 'A@x'), (2, 'bob', 'b@x'), (3, 'cyd', 'c@x');"
    "CREATE TABLE orders (user INTEGER, what TEXT);"
    "INSERT INTO orders VALUES (1, 'pen'), (2, 'ink'), (1, 'pad');";
constexpr auto by_id = "SELECT id, name FROM users WHERE id IN (?)";

std::shared_ptr<lookup> opened(const temporary_database& file, std::string_view sql, lookup_options options = {}) {
    std::shared_ptr<lookup> made;
    const auto bad = lookup::open(file.path(), sql, options, made);
    EXPECT_FALSE(bad) << bad.message;
    return made;
}

std::vector<found> find(lookup& with, const std::vector<value>& keys) {
    std::vector<found> out;
    const auto bad = with.find(keys, out);
    EXPECT_FALSE(bad) << bad.message;
    return out;
}

value number(std::int64_t n) {
    return n;
}

TEST(Lookup, EachKeyGetsItsRowsWhateverTheOrderAndWhoeverAsksTwice) {
    const temporary_database file(schema);
    const auto users = opened(file, by_id);
    const auto got = find(*users, {number(3), number(9), number(1), number(3)});
    const row cyd = {number(3), std::string("cyd")};
    EXPECT_THAT(got[0].rows, testing::ElementsAre(cyd));
    EXPECT_TRUE(got[1].rows.empty());
    EXPECT_EQ(got[2].rows.at(0).at(1), value{std::string("ada")});
    EXPECT_THAT(got[3].rows, testing::ElementsAre(cyd));
}

TEST(Lookup, AKeyMayHaveSeveralRowsInTheOrderOfTheQuery) {
    const temporary_database file(schema);
    const auto orders = opened(file, "SELECT user, what FROM orders WHERE user IN (?) ORDER BY what DESC");
    const auto got = find(*orders, {number(1), number(2)});
    ASSERT_EQ(got[0].rows.size(), 2u);
    EXPECT_EQ(got[0].rows[0][1], value{std::string("pen")});
    EXPECT_EQ(got[0].rows[1][1], value{std::string("pad")});
    EXPECT_EQ(got[1].rows.size(), 1u);
}

TEST(Lookup, MoreKeysThanOneQueryHoldsBecomeSeveral) {
    const temporary_database file(
        "CREATE TABLE n (k INTEGER PRIMARY KEY); WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE "
        "i < "
        "999) INSERT INTO n SELECT i FROM c");
    const auto numbers = opened(file, "SELECT k FROM n WHERE k IN (?)", {.max_keys_per_query = 64});
    std::vector<value> keys;
    for (std::int64_t i = 0; i < 1001; ++i) keys.emplace_back(i);
    const auto got = find(*numbers, keys);
    for (std::size_t i = 0; i < 1000; ++i) ASSERT_EQ(got[i].rows.at(0).at(0), keys[i]);
    EXPECT_TRUE(got[1000].rows.empty());
}

TEST(Lookup, AKeyOfTheWrongKindFailsAloneAndSaysSo) {
    const temporary_database file(schema);
    const auto users = opened(file, by_id);
    const auto got = find(*users, {std::string("1"), number(1), 1.0});
    EXPECT_EQ(got[0].error.code, make_error_code(errc::invalid_argument));
    EXPECT_THAT(got[0].error.message, HasSubstr("users.id holds numbers; the key '1' is text"));
    EXPECT_EQ(got[1].rows.size(), 1u);
    EXPECT_EQ(got[2].rows, got[1].rows);
    const auto names = opened(file, "SELECT name FROM users WHERE name IN (?)");
    EXPECT_THAT(find(*names, {number(1)})[0].error.message, HasSubstr("users.name holds text"));
}

TEST(Lookup, AMistakeInTheQueryShowsWhenItIsMade) {
    const temporary_database file(schema);
    std::shared_ptr<lookup> none;
    const auto why = [&](std::string_view sql) { return lookup::open(file.path(), sql, {}, none).message; };
    EXPECT_THAT(why("SELECT id FROM user WHERE id IN (?)"), HasSubstr("no such table: user"));
    EXPECT_THAT(why("SELECT id FROM users WHERE id = ?"), HasSubstr("IN (?)"));
    EXPECT_THAT(why("SELECT mail FROM users WHERE mail IN (?)"),
                HasSubstr("users.mail compares with the collation NOCASE"));
    EXPECT_EQ(lookup::open("/nowhere.db", by_id, {}, none).code, make_error_code(errc::not_found));
    EXPECT_EQ(lookup::open(file.path(), by_id, {.max_keys_per_query = 0}, none).code,
              make_error_code(errc::invalid_argument));
    EXPECT_EQ(none, nullptr);
}

TEST(Lookup, RowsThatBelongToNobodyAreAnErrorNotAGuess) {
    const temporary_database file(schema);
    const auto users = opened(file, "SELECT id + 100, name FROM users WHERE id IN (?)");
    std::vector<found> out;
    const std::vector<value> keys = {number(1)};
    const auto bad = users->find(keys, out);
    EXPECT_THAT(bad.message, HasSubstr("a row came back for the key 101"));
}

TEST(Lookup, SeesWhatOthersCommitted) {
    const temporary_database file(schema);
    const auto users = opened(file, by_id);
    EXPECT_TRUE(find(*users, {number(4)})[0].rows.empty());
    file.run("INSERT INTO users VALUES (4, 'dan', 'd@x')");
    EXPECT_EQ(find(*users, {number(4)})[0].rows.size(), 1u);
}

TEST(Lookup, ManyThreadsFindAtOnce) {
    const temporary_database file(schema);
    const auto users = opened(file, by_id);
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) {
                std::vector<found> out;
                const std::vector<value> keys = {number(1 + i % 3), number(7)};
                if (!users->find(keys, out) && out[0].rows.size() == 1 && out[0].rows[0][0] == keys[0]) ++right;
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(right, 400);
}

TEST(Lookup, AChildOfForkIsRefused) {
    const temporary_database file(schema);
    const auto users = opened(file, by_id);
    const pid_t child = ::fork();
    if (child == 0) {
        std::vector<found> out;
        const std::vector<value> keys = {number(1)};
        ::_exit(users->find(keys, out).code == make_error_code(errc::forked) ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(find(*users, {number(1)})[0].rows.size(), 1u);
}

}  // namespace
}  // namespace headrace::sqlite
