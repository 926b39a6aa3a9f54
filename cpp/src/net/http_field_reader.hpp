// A cursor over the lines of a head: what requests and responses have in common. Every reader returns true to go on; false
// means that result_ says why not.
#pragma once

#include <algorithm>

#include "http_chars.hpp"
#include "http_head.hpp"

namespace headrace::net::http {

class field_reader {
protected:
    using what = head_result::what;

    field_reader(std::string_view in, const parse_limits& limits, std::vector<field>& fields)
        : begin_(in.data()), at_(in.data()), end_(in.data() + in.size()), limits_(limits), fields_(fields) {}

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

    // The end of the line; after it `at_` is behind CRLF.
    bool line_end(std::size_t limit) noexcept {
        if (at_ == end_) return incomplete(limit);
        if (*at_ != '\r') return fail(parse_error::bad_line_ending);
        if (end_ - at_ < 2) return incomplete(limit + 1);
        if (at_[1] != '\n') return fail(parse_error::bad_line_ending);
        at_ += 2;
        return true;
    }

    // "HTTP/1.x". False also when the bytes end before it does.
    bool version(const char* stop) noexcept {
        constexpr std::string_view form = "HTTP/d.d";
        for (const char expected : form) {
            if (at_ == stop) return false;
            const bool good = expected == 'd' ? *at_ >= '0' && *at_ <= '9' : *at_ == expected;
            if (!good) return fail(parse_error::bad_version);
            ++at_;
        }
        if (at_[-3] != '1') return fail(parse_error::unknown_version);
        return true;
    }

    // A higher minor version is read as the highest that we speak (RFC 9110, section 6.2).
    unsigned minor_version() const noexcept { return at_[-1] == '0' ? 0 : 1; }

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
    head_result result_{head_result::what::incomplete};
};

}  // namespace headrace::net::http
