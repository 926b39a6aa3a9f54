#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <headrace/sqlite/lookup_query.hpp>

namespace headrace::sqlite {
namespace {

std::string expanded(std::string_view sql, std::size_t arity) {
    lookup_query q;
    const auto bad = lookup_query::parse(sql, q);
    EXPECT_FALSE(bad) << bad.message;
    return q.expand(arity);
}

std::string why_not(std::string_view sql) {
    lookup_query q;
    const auto bad = lookup_query::parse(sql, q);
    EXPECT_EQ(bad.code, make_error_code(errc::invalid_argument)) << sql;
    return bad.message;
}

using testing::HasSubstr;

TEST(LookupQuery, OneParameterBecomesAsManyAsThereAreKeys) {
    EXPECT_EQ(expanded("SELECT id, name FROM users WHERE id IN (?)", 1), "SELECT id, name FROM users WHERE id IN (?)");
    EXPECT_EQ(expanded("SELECT id, name FROM users WHERE id IN (?)", 3),
              "SELECT id, name FROM users WHERE id IN (?,?,?)");
}

TEST(LookupQuery, WhatFollowsTheParameterStays) {
    EXPECT_EQ(expanded("select k from t where k in ( ? ) order by 2;", 2),
              "select k from t where k in ( ?,? ) order by 2;");
    EXPECT_EQ(expanded("WITH x AS (SELECT 1 LIMIT 1) SELECT k FROM t, x WHERE k IN(?)", 2),
              "WITH x AS (SELECT 1 LIMIT 1) SELECT k FROM t, x WHERE k IN(?,?)");
}

TEST(LookupQuery, QuestionMarksAndKeywordsInQuotesAndCommentsAreText) {
    const std::string sql =
        "SELECT k, 'a?''b', \"c?\", `d?`, [e?] -- LIMIT ?\n FROM t /* IN (?) */ WHERE k IN (?) AND x = 'LIMIT'";
    EXPECT_EQ(expanded(sql, 1), sql);
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN ('?')"), HasSubstr("must have one parameter, this has 0"));
}

TEST(LookupQuery, OnlyASelectIsALookup) {
    EXPECT_THAT(why_not(""), HasSubstr("must be a SELECT"));
    EXPECT_THAT(why_not("DELETE FROM t WHERE k IN (?)"), HasSubstr("must be a SELECT"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (?); DROP TABLE t"), HasSubstr("must be one statement"));
    EXPECT_THAT(why_not(std::string_view("SELECT k\0 FROM t WHERE k IN (?)", 31)), HasSubstr("NUL"));
}

TEST(LookupQuery, TheParameterMustStandAloneInIn) {
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k = ?"), HasSubstr("IN (?)"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (?, 1)"), HasSubstr("IN (?)"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (?"), HasSubstr("IN (?)"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (?) AND x = ?"), HasSubstr("must have one parameter, this has 2"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (?1)"), HasSubstr("plain ?"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (:k)"), HasSubstr("plain ?, not :k"));
}

TEST(LookupQuery, WhatWouldMeanSomethingElseForManyKeysIsRefused) {
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k NOT IN (?)"), HasSubstr("NOT IN"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (?) LIMIT 1"), HasSubstr("LIMIT"));
    EXPECT_THAT(why_not("SELECT k FROM t WHERE k IN (?) limit 1 offset 2"), HasSubstr("LIMIT"));
}

TEST(LookupQuery, AnUnfinishedQuoteOrCommentEndsTheText) {
    EXPECT_THAT(why_not("SELECT 'k FROM t WHERE k IN (?)"), HasSubstr("this has 0"));
    EXPECT_THAT(why_not("SELECT k /* FROM t WHERE k IN (?)"), HasSubstr("this has 0"));
}

TEST(StatementArity, IsThePowerOfTwoThatHoldsTheKeysUpToTheLimit) {
    EXPECT_EQ(statement_arity(0, 512), 1u);
    EXPECT_EQ(statement_arity(1, 512), 1u);
    EXPECT_EQ(statement_arity(3, 512), 4u);
    EXPECT_EQ(statement_arity(64, 512), 64u);
    EXPECT_EQ(statement_arity(65, 512), 128u);
    EXPECT_EQ(statement_arity(90, 100), 100u);
}

}  // namespace
}  // namespace headrace::sqlite
