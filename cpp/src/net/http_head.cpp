#include "http_head.hpp"

#include "http_chars.hpp"
#include "http_field_reader.hpp"

namespace headrace::net::http {
namespace {

using what = head_result::what;
constexpr std::size_t max_method = 32;

class request_reader : private field_reader {
public:
    request_reader(std::string_view in, const parse_limits& limits, std::vector<field>& fields, request_head& head)
        : field_reader(in, limits, fields), head_(head) {}

    head_result run() {
        fields_.clear();
        if (skip_empty_line() && request_line() && all_fields()) {
            head_.fields = fields_;
            const parse_error e = interpret_head(limits_, head_);
            if (e != parse_error::none) {
                fail(e);
            } else {
                result_.outcome = what::complete;
                result_.consumed = offset();
            }
        }
        return result_;
    }

private:
    // One empty line before a request is ignored (RFC 9112, section 2.2).
    bool skip_empty_line() noexcept {
        if (at_ == end_) return incomplete(0);
        if (*at_ != '\r') return true;
        if (end_ - at_ < 2) return incomplete(1);
        if (at_[1] != '\n') return fail(parse_error::bad_line_ending);
        at_ += 2;
        return true;
    }

    bool request_line() {
        const std::size_t limit = offset() + limits_.max_request_line;
        const char* const stop = stop_at(limit);
        const auto ran_out = [&] {
            return offset() == limit ? fail(parse_error::long_request_line) : incomplete(limit);
        };

        const char* const method = at_;
        while (at_ != stop && chars::is(*at_, chars::token)) ++at_;
        if (static_cast<std::size_t>(at_ - method) > max_method) return fail(parse_error::long_method);
        if (at_ == stop) return ran_out();
        if (*at_ != ' ' || at_ == method) return fail(parse_error::bad_method);
        head_.method = {method, static_cast<std::size_t>(at_ - method)};
        head_.known_method = to_verb(head_.method);

        const char* const target = ++at_;
        while (at_ != stop && (chars::is(*at_, chars::query))) ++at_;
        if (at_ == stop) return ran_out();
        if (*at_ != ' ' || at_ == target) return fail(parse_error::bad_target);
        head_.target = {target, static_cast<std::size_t>(at_ - target)};
        ++at_;
        if (!version(stop)) return result_.outcome != what::failed && ran_out();
        head_.minor_version = minor_version();
        return line_end(limit);
    }

    request_head& head_;
};

}  // namespace

head_result parse_head(std::string_view in, const parse_limits& limits, std::vector<field>& fields,
                       request_head& head) {
    head = {};
    return request_reader(in, limits, fields, head).run();
}

}  // namespace headrace::net::http
