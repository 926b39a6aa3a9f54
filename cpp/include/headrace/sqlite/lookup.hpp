// n lookups by key as one query, the rows given back to the keys that asked for them.
//
// Threads:  find() from any thread and from several at once; each call borrows a read-only connection, with its
//           statements per arity, and there are as many connections as there were calls at one time.
// Lifetime: shared; the file may be written by others meanwhile.
// Errors:   open(): feature_not_built, not_found, invalid_argument (the query, see lookup_query.hpp), io_error.
//           find(): per key invalid_argument (a key of a type that the column cannot hold), or one failure for all.
// Stop:     the destructor closes the connections; no find() may be running. A child of fork() gets errc::forked.
#pragma once

#include <headrace/base/clock.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/sqlite/lookup_query.hpp>
#include <headrace/sqlite/value.hpp>
#include <memory>
#include <span>
#include <vector>

namespace headrace::sqlite {

struct lookup_options {
    ns busy_timeout = std::chrono::seconds{5};  ///< how long to wait for a writer's lock
    std::size_t max_keys_per_query = 512;       ///< more become several queries in one call; 0 is refused
};

/// What one key found: its rows in the order of the query (none is not an error), or why it was not looked up.
struct found {
    std::vector<row> rows;
    failure error;
};

class lookup {
public:
    /// Checks the query against the file at once, so that a mistake shows where it was written.
    static failure open(const std::string& path, std::string_view sql, lookup_options options,
                        std::shared_ptr<lookup>& out);
    ~lookup();
    lookup(const lookup&) = delete;
    lookup& operator=(const lookup&) = delete;

    /// out[i] belongs to keys[i]; equal keys get equal rows. Rows that belong to no key are a failure(invalid_argument):
    /// the query's first column is not the one it compares.
    failure find(std::span<const value> keys, std::vector<found>& out);

    const std::string& path() const noexcept { return path_; }

private:
    class connection;
    /// What the key column can hold, from its declared type (SQLite, "Datatypes", 3.1).
    enum class keys_are { anything, numbers, text };

    lookup(std::string path, lookup_query query, lookup_options options);
    failure inspect(connection& with);
    failure borrow(std::unique_ptr<connection>& out);
    void give_back(std::unique_ptr<connection> c);
    failure refuse(const value& key) const;

    const std::string path_;
    const lookup_query query_;
    const lookup_options options_;
    const int pid_;
    keys_are keys_ = keys_are::anything;  // written before the object is shared
    std::string key_column_;

    mutex mutex_;
    std::vector<std::unique_ptr<connection>> idle_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::sqlite
