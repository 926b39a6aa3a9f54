#include <algorithm>
#include <headrace/redis/value.hpp>

namespace headrace::redis {

void value_builder::begin() {
    root_ = {};
    has_root_ = false;
    open_.clear();
}

value& value_builder::place() {
    if (!has_root_) {
        has_root_ = true;
        return root_;
    }
    while (open_.back().missing == 0) open_.pop_back();
    --open_.back().missing;
    return open_.back().node->items.emplace_back();
}

void value_builder::put(value::kind type, std::string_view text) {
    value& v = place();
    v.type = type;
    v.text = std::string(text);
}

void value_builder::integer(std::int64_t number) {
    value& v = place();
    v.type = value::kind::integer;
    v.number = number;
}

void value_builder::array(std::size_t elements) {
    value& v = place();
    v.type = value::kind::array;
    // A reserve is a courtesy: nothing points into `items` when it grows. A lying length must not claim memory
    // beyond this.
    v.items.reserve(std::min<std::size_t>(elements, 1024));
    open_.push_back({&v, elements});
}

}  // namespace headrace::redis
