// Which route a request belongs to: method and path pattern.
//
// A pattern is segments between slashes: literal, {name} for one segment, or a last {name...} for all that is left. A
// literal wins over {name}, {name} over {name...}. Segments are compared and given after percent-decoding, each on its
// own, so that %2F does not make two of them. HEAD falls back to GET.
// Threads:  add() before the first find(); find() from any thread then.
// Lifetime: matched parameters are copies.
// Errors:   invalid_argument for a pattern that is malformed or taken.
#pragma once

#include <cstddef>
#include <headrace/base/error.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace::net::http {

class router {
public:
    struct param {
        std::string_view name;  ///< of the pattern
        std::string value;      ///< decoded
    };
    enum class outcome : std::uint8_t { found, no_path, no_method, bad_encoding };
    struct match {
        outcome what = outcome::no_path;
        std::size_t route = 0;      ///< as given to add()
        std::vector<param> params;  ///< in the order of the pattern
        std::string allow;          ///< no_method: the value of Allow
    };

    /// `route` is the caller's number for it.
    failure add(std::string_view method, std::string_view pattern, std::size_t route);

    /// `path` as sent. For exact paths without parameters no memory is allocated.
    void find(std::string_view method, std::string_view path, match& out) const;

private:
    using methods = std::vector<std::pair<std::string, std::size_t>>;
    struct node {
        std::map<std::string, std::unique_ptr<node>, std::less<>> literal;
        std::unique_ptr<node> one;   // {name}
        std::unique_ptr<node> rest;  // {name...}
        methods routes;
        std::vector<std::string> names;  // of the pattern that ends here
    };
    struct walk;
    static const node* descend(const node& at, std::string_view path, walk& found);

    std::map<std::string, node*, std::less<>> exact_;  // patterns without parameters, whole
    node root_;
};

}  // namespace headrace::net::http
