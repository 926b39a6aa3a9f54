#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <headrace/sqlite/database.hpp>
#include <headrace/sqlite/lookup.hpp>
#include <unordered_map>

namespace headrace::sqlite {
namespace {

bool contains(std::string_view upper, std::string_view word) {
    return upper.find(word) != std::string_view::npos;
}

// The rows under way to the keys that asked: which group of rows a key has, and which keys share a group.
using groups = std::unordered_map<value, std::vector<row>, value_hash>;

}  // namespace

class lookup::connection {
public:
    failure open(const std::string& path, const lookup_options& options) {
        if (auto bad = database::open(path, {access::read_only, options.busy_timeout}, db_)) return bad;
        most_ = std::min(options.max_keys_per_query, db_.max_parameters());
        return {};
    }

    failure statement_for(std::size_t keys, const lookup_query& query, statement*& out) {
        const std::size_t arity = statement_arity(keys, most_);
        auto& known = statements_[arity];
        if (!known) {
            auto made = std::make_unique<statement>();
            if (auto bad = db_.prepare(query.expand(arity), *made)) return bad;
            known = std::move(made);
        }
        out = known.get();
        return {};
    }

    std::size_t most() const noexcept { return most_; }

private:
    database db_;
    std::unordered_map<std::size_t, std::unique_ptr<statement>> statements_;  // by arity
    std::size_t most_ = 1;
};

namespace {

// Runs `s` for `keys` and puts each row to its key.
failure collect(statement& s, std::span<const value> keys, const std::string& path, groups& into) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (auto bad = s.bind(i + 1, keys[i])) return bad;
    }
    for (;;) {
        bool has_row = false;
        if (auto bad = s.step(has_row)) return bad;
        if (!has_row) return {};
        row r = s.columns_of_row();
        const auto owner = into.find(comparable(r.front()));
        if (owner == into.end()) {
            return failure::of(errc::invalid_argument,
                               path + ": a row came back for the key " + to_text(r.front()) +
                                   ", which nobody asked for; the first column of the query must be the one that it "
                                   "compares with IN (?)");
        }
        owner->second.push_back(std::move(r));
    }
}

}  // namespace

lookup::lookup(std::string path, lookup_query query, lookup_options options)
    : path_(std::move(path)), query_(std::move(query)), options_(options), pid_(::getpid()) {}

lookup::~lookup() {
    if (pid_ == ::getpid()) return;
    const lock_guard hold(mutex_);
    for (auto& c : idle_) static_cast<void>(c.release());  // closing here would drop the parent's file locks
}

failure lookup::open(const std::string& path, std::string_view sql, lookup_options options,
                     std::shared_ptr<lookup>& out) {
    if (options.max_keys_per_query == 0)
        return failure::of(errc::invalid_argument, "max_keys_per_query must be at least 1");
    lookup_query query;
    if (auto bad = lookup_query::parse(sql, query)) return bad;
    std::shared_ptr<lookup> made(new lookup(path, std::move(query), options));
    std::unique_ptr<connection> first;
    if (auto bad = made->borrow(first)) return bad;
    if (auto bad = made->inspect(*first)) return bad;
    made->give_back(std::move(first));
    out = std::move(made);
    return {};
}

failure lookup::inspect(connection& with) {
    statement* s = nullptr;
    if (auto bad = with.statement_for(1, query_, s)) return bad;
    if (!s->read_only()) return failure::of(errc::invalid_argument, path_ + ": a lookup must not change the database");
    const auto source = s->source(0);
    key_column_ = source.column.empty() ? s->column_name(0) : source.table + "." + source.column;
    // Under another collation 'Bob' finds 'bob', and which key a row belongs to would depend on who else is in the batch.
    if (!source.collation.empty() && source.collation != "BINARY") {
        return failure::of(errc::invalid_argument, path_ + ": " + key_column_ + " compares with the collation " +
                                                       source.collation +
                                                       "; a lookup needs a key that compares exactly");
    }
    std::string type = source.declared_type;
    std::ranges::transform(type, type.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    // The rules of affinity in their order (https://sqlite.org/datatype3.html, 3.1).
    if (source.column.empty() || type.empty()) return {};
    if (contains(type, "INT")) {
        keys_ = keys_are::numbers;
    } else if (contains(type, "CHAR") || contains(type, "CLOB") || contains(type, "TEXT")) {
        keys_ = keys_are::text;
    } else if (!contains(type, "BLOB")) {
        keys_ = keys_are::numbers;
    }
    return {};
}

failure lookup::borrow(std::unique_ptr<connection>& out) {
    {
        const lock_guard hold(mutex_);
        if (!idle_.empty()) {
            out = std::move(idle_.back());
            idle_.pop_back();
            return {};
        }
    }
    auto made = std::make_unique<connection>();
    if (auto bad = made->open(path_, options_)) return bad;
    out = std::move(made);
    return {};
}

void lookup::give_back(std::unique_ptr<connection> c) {
    const lock_guard hold(mutex_);
    idle_.push_back(std::move(c));
}

// SQLite converts '7' for a numeric column and 7 for a text column, and then a row comes back under another key than was
// asked for. Refusing keeps "which rows are mine" independent of who shares the batch.
failure lookup::refuse(const value& key) const {
    const bool is_text = key.index() == 3;
    const bool is_number = key.index() == 1 || key.index() == 2;
    if (keys_ == keys_are::numbers && is_text)
        return failure::of(errc::invalid_argument,
                           path_ + ": " + key_column_ + " holds numbers; the key " + to_text(key) + " is text");
    if (keys_ == keys_are::text && is_number)
        return failure::of(errc::invalid_argument,
                           path_ + ": " + key_column_ + " holds text; the key " + to_text(key) + " is a number");
    return {};
}

failure lookup::find(std::span<const value> keys, std::vector<found>& out) {
    out.assign(keys.size(), {});
    if (pid_ != ::getpid())
        return failure::of(errc::forked, path_ + ": this lookup was made before fork(); make a new one in the child");
    groups by_key;
    std::vector<value> asked;  // each once
    for (std::size_t i = 0; i < keys.size(); ++i) {
        out[i].error = refuse(keys[i]);
        if (!out[i].error && by_key.try_emplace(comparable(keys[i])).second) asked.push_back(keys[i]);
    }
    std::unique_ptr<connection> with;
    if (auto bad = borrow(with)) return bad;
    failure bad;
    for (std::size_t done = 0; done < asked.size() && !bad; done += with->most()) {
        const auto some = std::span(asked).subspan(done, std::min(with->most(), asked.size() - done));
        statement* s = nullptr;
        bad = with->statement_for(some.size(), query_, s);
        if (bad) break;
        bad = collect(*s, some, path_, by_key);
        s->reset();
    }
    give_back(std::move(with));
    if (bad) return bad;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (!out[i].error) out[i].rows = by_key.at(comparable(keys[i]));
    }
    return {};
}

}  // namespace headrace::sqlite
