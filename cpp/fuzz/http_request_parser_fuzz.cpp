// Any bytes through the request parser: however they are cut into pieces, they mean the same requests and the same end,
// and no limit is exceeded. The first byte chooses the limits and the sizes of the pieces.
#include <cstdint>
#include <cstdlib>
#include <headrace/net/http_request_parser.hpp>
#include <string>

namespace {

using namespace headrace::net::http;
using event = request_parser::event;

void require(bool promise) {
    if (!promise) std::abort();
}

class reader {
public:
    explicit reader(const parse_limits& limits) : limits_(limits), parser_(limits) {}

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
                require(parser_.error() != parse_error::none && describe(parser_.error()).status >= 400);
                log_ += "failed " + std::to_string(static_cast<int>(parser_.error()));
                return false;
            }
            note(s, in);
        }
        pending_.erase(0, used);
        require(pending_.size() <= limits_.max_request_line + limits_.max_header_bytes + limits_.max_chunk_line +
                                       limits_.max_trailer_bytes + 8);
        return true;
    }
    const std::string& log() const { return log_; }

private:
    void note(const request_parser::step& s, std::string_view in) {
        if (s.what == event::head) {
            require(head_.fields.size() <= limits_.max_headers && !head_.method.empty() && !head_.target.empty());
            require(head_.target.size() <= limits_.max_request_line);
            require(!(head_.chunked && head_.content_length != 0));
            for (const auto& f : head_.fields) {
                require(is_token(f.name) && is_field_value(f.value));
                require(f.name.data() >= in.data() && f.value.data() + f.value.size() <= in.data() + in.size());
                log_.append(f.name).append("=").append(f.value).append(";");
            }
            log_.append(head_.method).append(" ").append(head_.path).append("?").append(head_.query).append("\n");
            body_ = 0;
        }
        body_ += s.piece.size();
        require(body_ <= limits_.max_body);
        log_ += s.piece;
        if (s.what == event::complete) log_ += "\n--\n";
    }

    const parse_limits& limits_;
    request_parser parser_;
    std::vector<field> fields_;
    request_head head_;
    std::string pending_, log_;
    std::size_t body_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    parse_limits limits;
    if (data[0] % 2 != 0) limits = {40, 4, 90, 30, 20, 24, 2, 30};
    // A last line end, so that what is known only at the end of a line is known to both.
    const std::string bytes = std::string(reinterpret_cast<const char*>(data) + 1, size - 1) + "\n";

    reader whole(limits);
    whole.feed(bytes);
    reader pieces(limits);
    const std::size_t step = data[0] / 2 % 16 + 1;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        if (!pieces.feed(std::string_view(bytes).substr(at, step))) break;
    }
    require(whole.log() == pieces.log());
    return 0;
}
