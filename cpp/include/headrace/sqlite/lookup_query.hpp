// A query that looks one key up, and how it becomes a query for n keys.
//
// The accepted form: one SELECT (or WITH ... SELECT) that holds exactly one parameter, written `IN (?)`, and whose
// first result column is the key, e.g. SELECT id, name FROM users WHERE id IN (?).
// Refused, because n keys in one query would mean something else than n queries: NOT IN, LIMIT and OFFSET of the outer
// query, any other parameter. (An aggregate needs a GROUP BY of the key; no parser sees that it is missing.)
// Threads:  plain values; no database, no clock.   Errors: failure(invalid_argument), saying what to write instead.
#pragma once

#include <cstddef>
#include <headrace/base/error.hpp>
#include <string>
#include <string_view>

namespace headrace::sqlite {

class lookup_query {
public:
    static failure parse(std::string_view sql, lookup_query& out);

    /// The query with `arity` parameters; at least 1.
    std::string expand(std::size_t arity) const;

private:
    std::string before_, after_;  // the parameter
};

/// How many parameters the statement for `keys` keys has: the next power of two, `most` at most, so that a handful of
/// prepared statements serve every batch size. What is left over is bound to NULL, which IN never matches.
std::size_t statement_arity(std::size_t keys, std::size_t most) noexcept;

}  // namespace headrace::sqlite
