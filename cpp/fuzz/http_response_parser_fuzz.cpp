// Any bytes through the response parser, and through what the load generator builds on it: however they are cut into
// pieces, they mean the same responses and the same end, and no limit is exceeded. The first byte chooses the limits, the
// sizes of the pieces and whether the answers are to HEAD.
#include <cstdint>
#include <cstdlib>
#include <headrace/load/http_answer.hpp>
#include <headrace/net/http_response_parser.hpp>
#include <string>

namespace {

using namespace headrace::net::http;
using event = parse_event;

void require(bool promise) {
    if (!promise) std::abort();
}

class reader {
public:
    reader(const parse_limits& limits, bool answers_head) : limits_(limits), parser_(limits) {
        parser_.expect(answers_head);
    }

    bool feed(std::string_view bytes) {
        pending_ += bytes;
        // In a buffer of its exact size, so that reading beyond it is found.
        const std::string exact(pending_.data(), pending_.size());
        std::size_t used = 0;
        for (;;) {
            const auto in = std::string_view(exact).substr(used);
            const auto s = parser_.next(in, fields_, head_);
            require(s.consumed <= in.size());
            used += s.consumed;
            if (s.what == event::need_more) break;
            if (s.what == event::failed) {
                failed();
                return false;
            }
            note(s, in);
        }
        pending_.erase(0, used);
        require(pending_.size() <= limits_.max_request_line + limits_.max_header_bytes + limits_.max_chunk_line +
                                       limits_.max_trailer_bytes + 8);
        return true;
    }
    void end() {
        const auto e = parser_.end_of_stream(!pending_.empty());
        if (e == event::failed) failed();
        log_ += e == event::complete ? "end" : e == event::need_more ? "between" : "";
    }
    const std::string& log() const { return log_; }

private:
    void failed() {
        require(parser_.error() != parse_error::none);
        log_ += "failed " + std::to_string(static_cast<int>(parser_.error()));
    }
    void note(const parse_step& s, std::string_view in) {
        if (s.what == event::head) {
            require(head_.status >= 100 && head_.status <= 599);
            require(head_.fields.size() <= limits_.max_headers);
            require(head_.kind != response_head::content::until_close || !head_.keep_alive);
            for (const auto& f : head_.fields) {
                require(is_token(f.name) && is_field_value(f.value));
                require(f.name.data() >= in.data() && f.value.data() + f.value.size() <= in.data() + in.size());
                log_.append(f.name).append("=").append(f.value).append(";");
            }
            log_ += std::to_string(head_.status) + " " + std::string(head_.reason) + "\n";
            body_ = 0;
        }
        body_ += s.piece.size();
        if (head_.kind != response_head::content::until_close) require(body_ <= limits_.max_body);
        log_ += s.piece;
        if (s.what == event::complete) log_ += "\n--\n";
    }

    const parse_limits& limits_;
    response_parser parser_;
    std::vector<field> fields_;
    response_head head_;
    std::string pending_, log_;
    std::size_t body_ = 0;
};

std::string answer_in_pieces(std::string_view bytes, std::size_t step, bool answers_head) {
    headrace::load::http_answer a;
    std::vector<field> fields;
    a.begin(answers_head, true);
    auto r = headrace::load::http_answer::result::more;
    for (std::size_t at = 0; at < bytes.size() && r == headrace::load::http_answer::result::more; at += step) {
        const std::string exact(bytes.substr(at, step));
        r = a.feed(exact, fields);
    }
    if (r == headrace::load::http_answer::result::more) r = a.end_of_stream();
    if (r == headrace::load::http_answer::result::failed) return "failed";
    return std::to_string(a.status()) + " " + std::string(a.body());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    auto limits = response_limits;
    if (data[0] % 2 != 0) limits = {40, 4, 90, 30, 20, 24, 2, 30};
    const bool answers_head = data[0] / 2 % 4 == 3;
    const std::size_t step = data[0] / 8 % 16 + 1;
    // A last line end, so that what is known only at the end of a line is known to both.
    const std::string bytes = std::string(reinterpret_cast<const char*>(data) + 1, size - 1) + "\n";

    reader whole(limits, answers_head);
    if (whole.feed(bytes)) whole.end();
    reader pieces(limits, answers_head);
    bool good = true;
    for (std::size_t at = 0; good && at < bytes.size(); at += step) {
        good = pieces.feed(std::string_view(bytes).substr(at, step));
    }
    if (good) pieces.end();
    require(whole.log() == pieces.log());
    require(answer_in_pieces(bytes, bytes.size(), answers_head) == answer_in_pieces(bytes, step, answers_head));
    return 0;
}
