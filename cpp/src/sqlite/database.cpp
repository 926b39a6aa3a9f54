#include <sqlite3.h>
#include <unistd.h>

#include <climits>
#include <headrace/sqlite/database.hpp>

namespace headrace::sqlite {
namespace {

int open_flags(access mode) {
    switch (mode) {
        case access::read_only: return SQLITE_OPEN_READONLY;
        case access::read_write: return SQLITE_OPEN_READWRITE;
        case access::create: return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    }
    return SQLITE_OPEN_READONLY;
}

std::string text_or_empty(const char* text) {
    return text == nullptr ? std::string{} : std::string{text};
}

}  // namespace

void database::close::operator()(sqlite3* db) const noexcept {
    sqlite3_close(db);
}

void statement::finalize::operator()(sqlite3_stmt* s) const noexcept {
    sqlite3_finalize(s);
}

failure database::told(int code, std::string_view doing) const {
    const char* said = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
    const auto kind = (code & 0xff) == SQLITE_ERROR ? errc::invalid_argument : errc::io_error;
    return failure::of(kind, path_ + ": " + std::string(doing) + ": " + said);
}

failure database::open(const std::string& path, open_options options, database& out) {
    if (options.mode != access::create && ::access(path.c_str(), F_OK) != 0)
        return failure::of(errc::not_found, path + ": no such database file");
    database db;
    db.path_ = path;
    sqlite3* handle = nullptr;
    // NOMUTEX: one thread at a time is this class's own contract.
    const int code = sqlite3_open_v2(path.c_str(), &handle, open_flags(options.mode) | SQLITE_OPEN_NOMUTEX, nullptr);
    db.handle_.reset(handle);
    if (code != SQLITE_OK) return db.told(code, "cannot open");
    sqlite3_extended_result_codes(handle, 1);
    const auto busy = std::chrono::duration_cast<std::chrono::milliseconds>(options.busy_timeout).count();
    sqlite3_busy_timeout(handle, static_cast<int>(std::min<decltype(busy)>(busy, INT_MAX)));
    out = std::move(db);
    return {};
}

failure database::prepare(std::string_view sql, statement& out) {
    sqlite3_stmt* handle = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &handle, &tail);
    statement made;
    made.handle_.reset(handle);
    made.path_ = path_;
    if (code != SQLITE_OK) return told(code, "cannot prepare " + std::string(sql.substr(0, 200)));
    if (handle == nullptr) return failure::of(errc::invalid_argument, path_ + ": the SQL holds no statement");
    const std::string_view rest(tail, static_cast<std::size_t>(sql.data() + sql.size() - tail));
    sqlite3_stmt* second = nullptr;
    sqlite3_prepare_v2(handle_.get(), rest.data(), static_cast<int>(rest.size()), &second, nullptr);
    const bool more = second != nullptr;
    sqlite3_finalize(second);
    if (more) return failure::of(errc::invalid_argument, path_ + ": the SQL holds more than one statement");
    out = std::move(made);
    return {};
}

failure database::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? failure{} : told(code, sql.substr(0, 200));
}

std::size_t database::max_parameters() const noexcept {
    return static_cast<std::size_t>(sqlite3_limit(handle_.get(), SQLITE_LIMIT_VARIABLE_NUMBER, -1));
}

std::size_t statement::parameters() const noexcept {
    return static_cast<std::size_t>(sqlite3_bind_parameter_count(handle_.get()));
}

std::size_t statement::columns() const noexcept {
    return static_cast<std::size_t>(sqlite3_column_count(handle_.get()));
}

std::string statement::column_name(std::size_t index) const {
    return text_or_empty(sqlite3_column_name(handle_.get(), static_cast<int>(index)));
}

column_source statement::source(std::size_t index) const {
    const int i = static_cast<int>(index);
    const char* database_name = sqlite3_column_database_name(handle_.get(), i);
    const char* table = sqlite3_column_table_name(handle_.get(), i);
    const char* column = sqlite3_column_origin_name(handle_.get(), i);
    if (table == nullptr || column == nullptr) return {};
    const char* type = nullptr;
    const char* collation = nullptr;
    sqlite3_table_column_metadata(sqlite3_db_handle(handle_.get()), database_name, table, column, &type, &collation,
                                  nullptr, nullptr, nullptr);
    return {table, column, text_or_empty(type), text_or_empty(collation)};
}

bool statement::read_only() const noexcept {
    return sqlite3_stmt_readonly(handle_.get()) != 0;
}

failure statement::told(int code) const {
    return failure::of(errc::io_error, path_ + ": " + sqlite3_errmsg(sqlite3_db_handle(handle_.get())) + " (" +
                                           sqlite3_errstr(code) + ")");
}

failure statement::bind(std::size_t index, const value& v) {
    sqlite3_stmt* s = handle_.get();
    const int i = static_cast<int>(index);
    int code = SQLITE_OK;
    switch (v.index()) {
        case 1: code = sqlite3_bind_int64(s, i, std::get<1>(v)); break;
        case 2: code = sqlite3_bind_double(s, i, std::get<2>(v)); break;
        case 3: {
            const auto& text = std::get<3>(v);
            code = sqlite3_bind_text64(s, i, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
            break;
        }
        case 4: {
            const auto& bytes = std::get<4>(v).bytes;
            code = sqlite3_bind_blob64(s, i, bytes.data(), bytes.size(), SQLITE_STATIC);
            break;
        }
        default: code = sqlite3_bind_null(s, i);
    }
    if (code == SQLITE_RANGE)
        return failure::of(errc::invalid_argument, path_ + ": the statement has no parameter " + std::to_string(index));
    return code == SQLITE_OK ? failure{} : told(code);
}

failure statement::step(bool& has_row) {
    const int code = sqlite3_step(handle_.get());
    has_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? failure{} : told(code);
}

value statement::column(std::size_t index) const {
    sqlite3_stmt* s = handle_.get();
    const int i = static_cast<int>(index);
    switch (sqlite3_column_type(s, i)) {
        case SQLITE_INTEGER: return sqlite3_column_int64(s, i);
        case SQLITE_FLOAT: return sqlite3_column_double(s, i);
        case SQLITE_TEXT: {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s, i));
            return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(s, i)));
        }
        case SQLITE_BLOB: {
            const auto* bytes = static_cast<const char*>(sqlite3_column_blob(s, i));
            const auto size = static_cast<std::size_t>(sqlite3_column_bytes(s, i));
            return blob{size == 0 ? std::string{} : std::string(bytes, size)};
        }
        default: return std::monostate{};
    }
}

row statement::columns_of_row() const {
    row r;
    r.reserve(columns());
    for (std::size_t i = 0; i < columns(); ++i) r.push_back(column(i));
    return r;
}

void statement::reset() noexcept {
    sqlite3_reset(handle_.get());
    sqlite3_clear_bindings(handle_.get());
}

}  // namespace headrace::sqlite
