#include <algorithm>
#include <bit>
#include <cctype>
#include <headrace/sqlite/lookup_query.hpp>
#include <optional>
#include <vector>

namespace headrace::sqlite {
namespace {

constexpr std::string_view form = "SELECT key, ... FROM ... WHERE key IN (?)";

failure refused(const std::string& why) {
    return failure::of(errc::invalid_argument, "the query of a lookup " + why + "; write it as " + std::string(form));
}

struct token {
    enum class kind { word, parameter, punctuation, other };
    kind type;
    std::string_view text;
    std::size_t at;
};

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (static_cast<unsigned char>(c) & 0x80U) != 0;
}

bool equal(std::string_view text, std::string_view upper) {
    return std::ranges::equal(text, upper,
                              [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; });
}

// SQLite's tokens (https://sqlite.org/lang_expr.html), as far as telling parameters and keywords from quoted text needs.
class scanner {
public:
    explicit scanner(std::string_view sql) : sql_(sql) {}

    std::optional<token> next() {
        skip_blanks();
        if (at_ >= sql_.size()) return std::nullopt;
        const std::size_t start = at_;
        const char c = sql_[at_];
        token::kind type = token::kind::punctuation;
        if (c == '\'' || c == '"' || c == '`' || c == '[') {
            type = token::kind::other;
            skip_quoted(c == '[' ? ']' : c);
        } else if (c == '?' ||
                   ((c == ':' || c == '@' || c == '$') && at_ + 1 < sql_.size() && is_word(sql_[at_ + 1]))) {
            type = token::kind::parameter;
            skip_word(at_ + 1);
        } else if (is_word(c)) {
            type = token::kind::word;
            skip_word(at_ + 1);
        } else {
            ++at_;
        }
        return token{type, sql_.substr(start, at_ - start), start};
    }

private:
    void skip_word(std::size_t from) {
        at_ = from;
        while (at_ < sql_.size() && is_word(sql_[at_])) ++at_;
    }

    // A doubled quote stands for itself, except in [brackets].
    void skip_quoted(char end) {
        for (++at_; at_ < sql_.size(); ++at_) {
            if (sql_[at_] != end) continue;
            if (end == ']' || at_ + 1 >= sql_.size() || sql_[at_ + 1] != end) break;
            ++at_;
        }
        at_ = std::min(at_ + 1, sql_.size());
    }

    void skip_blanks() {
        for (;;) {
            while (at_ < sql_.size() && std::isspace(static_cast<unsigned char>(sql_[at_])) != 0) ++at_;
            if (sql_.substr(at_, 2) == "--") {
                at_ = std::min(sql_.find('\n', at_), sql_.size());
            } else if (sql_.substr(at_, 2) == "/*") {
                const std::size_t end = sql_.find("*/", at_ + 2);
                at_ = end == std::string_view::npos ? sql_.size() : end + 2;
            } else {
                return;
            }
        }
    }

    std::string_view sql_;
    std::size_t at_ = 0;
};

std::vector<token> tokens_of(std::string_view sql) {
    std::vector<token> all;
    scanner scan(sql);
    while (const auto t = scan.next()) all.push_back(*t);
    while (!all.empty() && all.back().text == ";") all.pop_back();
    return all;
}

bool is_keyword(const token& t, std::string_view upper) {
    return t.type == token::kind::word && equal(t.text, upper);
}

// What is wrong with the tokens as a whole.
failure check_statement(const std::vector<token>& all) {
    if (all.empty() || !(is_keyword(all[0], "SELECT") || is_keyword(all[0], "WITH")))
        return refused("must be a SELECT");
    int depth = 0;
    for (const auto& t : all) {
        if (t.text == ";") return refused("must be one statement");
        if (t.text == "(") ++depth;
        if (t.text == ")") --depth;
        if (depth == 0 && (is_keyword(t, "LIMIT") || is_keyword(t, "OFFSET")))
            return refused("cannot have a LIMIT, which would count the rows of all keys together");
    }
    return {};
}

failure check_parameter(const std::vector<token>& all, std::size_t& at) {
    const auto is_parameter = [](const token& t) { return t.type == token::kind::parameter; };
    const auto found = std::ranges::count_if(all, is_parameter);
    if (found != 1) return refused("must have one parameter, this has " + std::to_string(found));
    const auto i = static_cast<std::size_t>(std::ranges::find_if(all, is_parameter) - all.begin());
    if (all[i].text != "?") return refused("must have a plain ?, not " + std::string(all[i].text));
    const bool inside = i >= 2 && i + 1 < all.size() && all[i - 1].text == "(" && all[i + 1].text == ")" &&
                        is_keyword(all[i - 2], "IN");
    if (!inside) return refused("must compare the key with IN (?)");
    if (i >= 3 && is_keyword(all[i - 3], "NOT")) return refused("cannot ask with NOT IN for what is not the key");
    at = all[i].at;
    return {};
}

}  // namespace

failure lookup_query::parse(std::string_view sql, lookup_query& out) {
    if (sql.find('\0') != std::string_view::npos) return refused("holds a NUL character");
    const auto all = tokens_of(sql);
    if (auto bad = check_statement(all)) return bad;
    std::size_t at = 0;
    if (auto bad = check_parameter(all, at)) return bad;
    out.before_ = sql.substr(0, at);
    out.after_ = sql.substr(at + 1);
    return {};
}

std::string lookup_query::expand(std::size_t arity) const {
    std::string sql = before_;
    sql.reserve(before_.size() + 2 * arity + after_.size());
    sql += '?';
    for (std::size_t i = 1; i < arity; ++i) sql += ",?";
    return sql + after_;
}

std::size_t statement_arity(std::size_t keys, std::size_t most) noexcept {
    return std::min(std::bit_ceil(std::max<std::size_t>(keys, 1)), most);
}

}  // namespace headrace::sqlite
