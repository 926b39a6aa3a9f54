// The one wrapper of SQLite: a connection and its prepared statements.
//
// Threads:  a connection and its statements belong to one thread at a time; hand them over through a lock of your own.
// Lifetime: statements must be gone before their database is.
// Errors:   failure: not_found (no such file), invalid_argument (SQL that does not compile, a parameter that is not
//           there), io_error (whatever else SQLite reports, with its own words); each names the file.
// Stop:     the destructors close; a connection that crossed a fork() must not be used (SQLite, "How To Corrupt").
#pragma once

#include <chrono>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <headrace/sqlite/value.hpp>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace headrace::sqlite {

enum class access { read_only, read_write, create };

struct open_options {
    access mode = access::read_only;
    ns busy_timeout = std::chrono::seconds{5};  ///< how long to wait for another connection's lock; 0: not at all
};

/// What is known about the table column behind a result column; all empty for an expression.
struct column_source {
    std::string table, column;
    std::string declared_type;  ///< as in CREATE TABLE
    std::string collation;      ///< BINARY unless the table says otherwise
};

class statement {
public:
    std::size_t parameters() const noexcept;
    std::size_t columns() const noexcept;
    std::string column_name(std::size_t index) const;
    column_source source(std::size_t index) const;
    bool read_only() const noexcept;

    /// `index` counts from 1, as SQL does. Text and blobs are not copied: `v` must live until reset().
    failure bind(std::size_t index, const value& v);
    /// `has_row` false: done. After an error or the end, reset() before the next use.
    failure step(bool& has_row);
    value column(std::size_t index) const;
    row columns_of_row() const;
    /// Ready to be bound and stepped again; forgets what was bound.
    void reset() noexcept;

private:
    friend class database;
    struct finalize {
        void operator()(sqlite3_stmt* s) const noexcept;
    };
    failure told(int code) const;

    std::unique_ptr<sqlite3_stmt, finalize> handle_;
    std::string path_;
};

class database {
public:
    static failure open(const std::string& path, open_options options, database& out);

    /// Exactly one statement; trailing white space and comments are allowed.
    failure prepare(std::string_view sql, statement& out);
    /// Runs statements that return nothing of interest: BEGIN, COMMIT, PRAGMA, CREATE TABLE.
    failure execute(const std::string& sql);
    /// The most parameters that one statement may have.
    std::size_t max_parameters() const noexcept;
    const std::string& path() const noexcept { return path_; }

private:
    struct close {
        void operator()(sqlite3* db) const noexcept;
    };
    failure told(int code, std::string_view doing) const;

    std::unique_ptr<sqlite3, close> handle_;
    std::string path_;
};

}  // namespace headrace::sqlite
