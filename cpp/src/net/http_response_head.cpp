#include "http_response_head.hpp"

#include "http_field_reader.hpp"

namespace headrace::net::http {
namespace {

using what = head_result::what;
using content = response_head::content;

class response_reader : private field_reader {
public:
    response_reader(std::string_view in, const parse_limits& limits, std::vector<field>& fields, response_head& head)
        : field_reader(in, limits, fields), head_(head) {}

    head_result run(bool answers_head) {
        fields_.clear();
        if (status_line() && all_fields()) {
            head_.fields = fields_;
            const parse_error e = interpret(answers_head);
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
    // HTTP-version SP 3DIGIT [ SP reason ]   (RFC 9112, section 4)
    bool status_line() {
        const std::size_t limit = limits_.max_request_line;
        const char* const stop = stop_at(limit);
        const auto ran_out = [&] { return offset() == limit ? fail(parse_error::bad_status_line) : incomplete(limit); };
        if (!version(stop)) return result_.outcome != what::failed ? ran_out() : fail(parse_error::bad_status_line);
        head_.minor_version = minor_version();
        if (at_ == stop) return ran_out();
        if (*at_++ != ' ') return fail(parse_error::bad_status_line);
        for (int digits = 0; digits < 3; ++digits, ++at_) {
            if (at_ == stop) return ran_out();
            if (*at_ < '0' || *at_ > '9') return fail(parse_error::bad_status_line);
            head_.status = head_.status * 10 + static_cast<unsigned>(*at_ - '0');
        }
        if (head_.status < 100 || head_.status > 599) return fail(parse_error::bad_status);
        if (at_ == stop) return ran_out();
        if (*at_ != '\r' && *at_ != ' ') return fail(parse_error::bad_status_line);
        const char* const reason = *at_ == ' ' ? at_ + 1 : at_;
        while (at_ != stop && chars::is(*at_, chars::value)) ++at_;
        if (at_ == stop) return ran_out();
        if (*at_ == '\r') head_.reason = {reason, static_cast<std::size_t>(at_ - reason)};
        return line_end(limit);
    }

    parse_error interpret(bool answers_head) noexcept {
        unsigned lengths = 0, encodings = 0;
        std::string_view length, encoding;
        bool close = false, keep = false;
        for (const auto& one : fields_) {
            switch (one.name.size()) {
                case 10:
                    if (!equal_ignoring_case(one.name, "connection")) break;
                    close = close || list_contains(one.value, "close");
                    keep = keep || list_contains(one.value, "keep-alive");
                    break;
                case 14:
                    if (equal_ignoring_case(one.name, "content-length")) length = one.value, ++lengths;
                    break;
                case 17:
                    if (equal_ignoring_case(one.name, "transfer-encoding")) encoding = one.value, ++encodings;
                    break;
                default: break;
            }
        }
        head_.keep_alive = !close && (head_.minor_version != 0 || keep) && head_.status != 101;
        if (encodings != 0 && lengths != 0) return parse_error::length_and_encoding;
        if (lengths > 1) return parse_error::many_content_lengths;
        if (encodings > 1) return parse_error::bad_transfer_encoding;
        if (encodings != 0 && head_.minor_version == 0) return parse_error::encoding_in_http10;
        bool chunked = false;
        if (encodings != 0) {
            if (const auto e = read_encoding(encoding, chunked); e != parse_error::none) return e;
        }
        if (lengths != 0) {
            if (const auto e = read_length(length, limits_.max_body, head_.content_length); e != parse_error::none) {
                return e;
            }
        }
        const bool no_content = answers_head || head_.status < 200 || head_.status == 204 || head_.status == 304;
        head_.kind = no_content     ? content::none
                     : chunked      ? content::chunked
                     : lengths != 0 ? content::length
                                    : content::until_close;
        if (head_.kind == content::until_close) head_.keep_alive = false;
        return parse_error::none;
    }

    response_head& head_;
};

}  // namespace

head_result parse_response_head(std::string_view in, const parse_limits& limits, bool answers_head,
                                std::vector<field>& fields, response_head& head) {
    head = {};
    return response_reader(in, limits, fields, head).run(answers_head);
}

}  // namespace headrace::net::http
