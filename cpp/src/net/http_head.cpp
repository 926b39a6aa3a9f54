#include "http_head.hpp"

#include <algorithm>

#include "http_chars.hpp"

namespace headrace::net::http {
namespace {

using what = head_result::what;
constexpr std::size_t max_method = 32;

// A cursor over the head. Every reader returns true to go on; false means that outcome_ says why not.
class head_reader {
public:
    head_reader(std::string_view in, const parse_limits& limits, std::vector<field>& fields, request_head& head)
        : begin_(in.data()),
          at_(in.data()),
          end_(in.data() + in.size()),
          limits_(limits),
          fields_(fields),
          head_(head) {}

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
    std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
    bool fail(parse_error e) noexcept {
        result_.outcome = what::failed;
        result_.error = e;
        return false;
    }
    // Everything there is was looked at. `limit` is the offset that the current line or section may reach at most.
    bool incomplete(std::size_t limit) noexcept {
        result_.outcome = what::incomplete;
        result_.look_again = limit + 1;
        return false;
    }
    const char* stop_at(std::size_t limit) const noexcept {
        return begin_ + std::min(limit, static_cast<std::size_t>(end_ - begin_));
    }

    // One empty line before a request is ignored (RFC 9112, section 2.2).
    bool skip_empty_line() noexcept {
        if (at_ == end_) return incomplete(0);
        if (*at_ != '\r') return true;
        if (end_ - at_ < 2) return incomplete(1);
        if (at_[1] != '\n') return fail(parse_error::bad_line_ending);
        at_ += 2;
        return true;
    }

    // The end of the line; after it `at_` is behind CRLF.
    bool line_end(std::size_t limit) noexcept {
        if (at_ == end_) return incomplete(limit);
        if (*at_ != '\r') return fail(parse_error::bad_line_ending);
        if (end_ - at_ < 2) return incomplete(limit + 1);
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
        return line_end(limit);
    }

    bool version(const char* stop) noexcept {
        constexpr std::string_view form = "HTTP/d.d";
        for (const char expected : form) {
            if (at_ == stop) return false;
            const bool good = expected == 'd' ? *at_ >= '0' && *at_ <= '9' : *at_ == expected;
            if (!good) return fail(parse_error::bad_version);
            ++at_;
        }
        if (at_[-3] != '1') return fail(parse_error::unknown_version);
        // A higher minor version is served as the highest that we speak (RFC 9110, section 6.2).
        head_.minor_version = at_[-1] == '0' ? 0 : 1;
        return true;
    }

    bool all_fields() {
        const std::size_t limit = offset() + limits_.max_header_bytes;
        for (;;) {
            if (at_ == end_) return incomplete(limit);
            if (*at_ == '\r') return line_end(limit);
            if (fields_.size() == limits_.max_headers) return fail(parse_error::too_many_headers);
            if (!one_field(limit)) return false;
        }
    }

    bool one_field(std::size_t limit) {
        const char* const stop = stop_at(limit);
        const auto ran_out = [&] {
            return offset() == limit ? fail(parse_error::headers_too_large) : incomplete(limit);
        };
        const char* const name = at_;
        while (at_ != stop && chars::is(*at_, chars::token)) ++at_;
        if (at_ == stop) return ran_out();
        if (*at_ != ':' || at_ == name) return fail(bad_name(name));
        const std::string_view field_name{name, static_cast<std::size_t>(at_ - name)};
        const char* const value = ++at_;
        while (at_ != stop && chars::is(*at_, chars::value)) ++at_;
        if (at_ == stop) return ran_out();
        if (*at_ != '\r') return fail(*at_ == '\n' ? parse_error::bad_line_ending : parse_error::bad_field_value);
        fields_.push_back({field_name, chars::trim({value, static_cast<std::size_t>(at_ - value)})});
        if (offset() + 2 > limit) return fail(parse_error::headers_too_large);
        return line_end(limit);
    }

    parse_error bad_name(const char* name) const noexcept {
        const bool blank = *at_ == ' ' || *at_ == '\t';
        if (blank) return at_ == name ? parse_error::folded_line : parse_error::space_before_colon;
        return *at_ == '\n' ? parse_error::bad_line_ending : parse_error::bad_field_name;
    }

    const char* const begin_;
    const char* at_;
    const char* const end_;
    const parse_limits& limits_;
    std::vector<field>& fields_;
    request_head& head_;
    head_result result_{what::incomplete};
};

}  // namespace

head_result parse_head(std::string_view in, const parse_limits& limits, std::vector<field>& fields,
                       request_head& head) {
    head = {};
    return head_reader(in, limits, fields, head).run();
}

}  // namespace headrace::net::http
