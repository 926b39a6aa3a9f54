// A reply as a tree, for callers who want the whole of it.
// Threads:  plain values; build_value is one owner's visitor.
#pragma once

#include <cstdint>
#include <headrace/redis/codec.hpp>
#include <string>
#include <vector>

namespace headrace::redis {

struct value {
    enum class kind { nil, status, error, string, integer, array };
    kind type = kind::nil;
    std::string text;  ///< of status, error, string
    std::int64_t number = 0;
    std::vector<value> items;
};

/// Builds one value per reply; take() hands over the last one that was completed.
class value_builder final : public reply_visitor {
public:
    void begin() override;
    void status(std::string_view text) override { put(value::kind::status, text); }
    void error(std::string_view text) override { put(value::kind::error, text); }
    void string(std::string_view bytes) override { put(value::kind::string, bytes); }
    void integer(std::int64_t number) override;
    void nil() override { put(value::kind::nil, {}); }
    void array(std::size_t elements) override;
    value take() { return std::move(root_); }

private:
    struct open_array {
        value* node;
        std::size_t missing;
    };
    value& place();
    void put(value::kind type, std::string_view text);

    value root_;
    bool has_root_ = false;
    std::vector<open_array> open_;
};

}  // namespace headrace::redis
