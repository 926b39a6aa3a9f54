#include <gtest/gtest.h>

#include <headrace/net/http_request_parser.hpp>
#include <string>

namespace headrace::net::http {
namespace {

using event = request_parser::event;

// What a stream of bytes means, as text: "GET / {3:abc} | ... | 400 no Host field".
class reader {
public:
    explicit reader(parse_limits limits = {}) : limits_(limits) {}

    /// Everything that `bytes` completes, given in pieces of `piece` bytes.
    std::string read(std::string_view bytes, std::size_t piece = std::string_view::npos) {
        for (std::size_t at = 0; at < bytes.size();) {
            const auto some = bytes.substr(at, piece);
            at += some.size();
            pending_ += some;
            if (!drain()) break;
        }
        return log_;
    }
    request_head& head() { return head_; }
    parse_error error() const { return parser_.error(); }
    bool between_requests() const { return parser_.between_requests(); }

private:
    bool drain() {
        std::size_t used = 0;
        for (;;) {
            const auto s = parser_.next(std::string_view(pending_).substr(used), fields_, head_);
            used += s.consumed;
            if (s.what == event::need_more) break;
            if (s.what == event::failed) {
                const auto& why = describe(parser_.error());
                log_ += std::to_string(why.status) + " " + std::string(why.text);
                return false;
            }
            note(s);
        }
        pending_.erase(0, used);
        return true;
    }
    void note(const request_parser::step& s) {
        if (s.what == event::head) {
            log_ += std::string(head_.method) + " " + std::string(head_.path);
            body_.clear();
        }
        if (s.what == event::body) body_ += s.piece;
        if (s.what == event::complete) {
            if (!body_.empty()) log_ += " {" + body_ + "}";
            log_ += " | ";
        }
    }

    parse_limits limits_;
    request_parser parser_{limits_};
    std::vector<field> fields_;
    request_head head_;
    std::string pending_, body_, log_;
};

std::string read(std::string_view bytes, parse_limits limits = {}) {
    return reader(limits).read(bytes);
}
// A GET whose head has these lines besides Host.
std::string with(std::string_view lines) {
    return read("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n");
}
std::string with_host(std::string_view host) {
    return read("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
}
std::string chunks(std::string_view body, parse_limits limits = {}) {
    return read("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body), limits);
}

const std::string three =
    "GET /first?q=1 HTTP/1.1\r\nHost: example.com\r\nX-Y: \t padded value \t\r\n\r\n"
    "POST /second HTTP/1.1\r\nhost:b\r\nContent-Length: 5\r\n\r\nhello"
    "\r\nPUT /third HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "5;name=value;flag; q=\"a;b\\\"\"\r\nworld\r\n001\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n";
const std::string three_read = "GET /first | POST /second {hello} | PUT /third {world!} | ";

TEST(http_request_parser, reads_pipelined_requests) {
    reader r;
    EXPECT_EQ(r.read(three), three_read);
    EXPECT_TRUE(r.between_requests());
}

TEST(http_request_parser, pieces_of_every_size_mean_the_same) {
    for (std::size_t size = 1; size < 60; ++size) EXPECT_EQ(reader().read(three, size), three_read) << size;
}

TEST(http_request_parser, a_good_request_is_complete_before_bad_bytes_fail) {
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\n\r\n\x01"), "GET / | 400 the method is not a token");
}

TEST(http_request_parser, head_gives_fields_trimmed_and_by_name) {
    reader r;
    r.read("GET /a%20b?x=1&y HTTP/1.1\r\nHost: h:80\r\nAccept:  a, b \r\nEmpty:\r\n\r\n");
    EXPECT_EQ(r.head().query, "x=1&y");
    EXPECT_EQ(r.head().host, "h:80");
    EXPECT_EQ(r.head().get("ACCEPT"), "a, b");
    EXPECT_TRUE(r.head().has("empty"));
    EXPECT_FALSE(r.head().has("absent"));
}

TEST(http_request_parser, keep_alive_follows_version_and_connection) {
    const auto keeps = [](std::string_view bytes) {
        reader r;
        r.read(bytes);
        return r.head().keep_alive;
    };
    EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
    EXPECT_TRUE(keeps("GET / HTTP/1.7\r\nHost: a\r\n\r\n"));
}

TEST(http_request_parser, expectation_counts_only_where_content_follows) {
    reader r;
    r.read("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
    EXPECT_TRUE(r.head().expects_continue);
    r.read("xGET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_FALSE(r.head().expects_continue);
    EXPECT_EQ(with("Expect: 200-ok\r\n"), "417 an expectation other than 100-continue");
}

TEST(http_request_parser, targets) {
    const auto target = [](std::string_view t) {
        return read("GET " + std::string(t) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    };
    EXPECT_EQ(target("http://b:8/x?y"), "GET /x | ");
    EXPECT_EQ(target("HTTPS://b"), "GET / | ");
    EXPECT_EQ(target("http://b?q"), "GET / | ");
    for (const auto* bad : {"x", "*", "http://", "ftp://b/", "http://u@b/", "/a#b", "/a\"b", "/%4", "/%zz", "/a\\b",
                            "//["
                            "\x80"}) {
        EXPECT_EQ(target(bad), "400 the request target is malformed") << bad;
    }
    EXPECT_EQ(read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS * | ");
    EXPECT_EQ(read("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"), "CONNECT  | ");
    EXPECT_EQ(read("CONNECT /x HTTP/1.1\r\nHost: b\r\n\r\n"), "400 the request target is malformed");
}

TEST(http_request_parser, an_absolute_target_replaces_host) {
    reader r;
    r.read("GET http://b:8/ HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(r.head().host, "b:8");
}

TEST(http_request_parser, request_lines_that_are_refused) {
    const auto line = [](std::string_view l) { return read(std::string(l) + "\r\nHost: a\r\n\r\n"); };
    EXPECT_EQ(line("GET  / HTTP/1.1"), "400 the request target is malformed");
    EXPECT_EQ(line("GET / HTTP/1.1 "), "400 a line does not end in CRLF");
    EXPECT_EQ(line("GET / http/1.1"), "400 the request line does not end in a HTTP version");
    EXPECT_EQ(line("GET / HTTP/11"), "400 the request line does not end in a HTTP version");
    EXPECT_EQ(line("GET /"), "400 the request target is malformed");
    EXPECT_EQ(line("GET / HTTP/2.0"), "505 only HTTP/1.0 and HTTP/1.1 are served");
    EXPECT_EQ(line(" GET / HTTP/1.1"), "400 the method is not a token");
    EXPECT_EQ(line("G@T / HTTP/1.1"), "400 the method is not a token");
    EXPECT_EQ(line(std::string(33, 'M') + " / HTTP/1.1"), "501 the method is longer than any known one");
    EXPECT_EQ(read("GET / HTTP/1.1\nHost: a\n\n"), "400 a line does not end in CRLF");
    EXPECT_EQ(read("\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 the method is not a token");
    EXPECT_EQ(read("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 the method is not a token");
}

TEST(http_request_parser, fields_that_are_refused) {
    EXPECT_EQ(with("A : b\r\n"), "400 white space before the colon of a field");
    EXPECT_EQ(with(" A: b\r\n"), "400 a line starts with white space (obsolete line folding)");
    EXPECT_EQ(with("A: b\r\n\tc\r\n"), "400 a line starts with white space (obsolete line folding)");
    EXPECT_EQ(with("A\r\n"), "400 a field name is not a token");
    EXPECT_EQ(with(": b\r\n"), "400 a field name is not a token");
    EXPECT_EQ(with("A(: b\r\n"), "400 a field name is not a token");
    EXPECT_EQ(with("A: b\n"), "400 a line does not end in CRLF");
    EXPECT_EQ(with("A: b\rc\r\n"), "400 a line does not end in CRLF");
    EXPECT_EQ(with(std::string("A: b\0c\r\n", 8)), "400 a field value has a control character");
    EXPECT_EQ(with("A: \x7f\r\n"), "400 a field value has a control character");
    EXPECT_EQ(with("A: \xc3\xa9 is allowed\r\n"), "GET / | ");
}

TEST(http_request_parser, host_must_be_there_once_and_well_formed) {
    EXPECT_EQ(read("GET / HTTP/1.1\r\n\r\n"), "400 no Host field");
    EXPECT_EQ(read("GET / HTTP/1.0\r\n\r\n"), "GET / | ");
    EXPECT_EQ(with("Host: a\r\n"), "400 more than one Host field");
    for (const auto* good : {"a", "a:80", "a:", "", "[::1]", "[::1]:80", "127.0.0.1", "x-y_z.%41"}) {
        EXPECT_EQ(with_host(good), "GET / | ") << good;
    }
    for (const auto* bad :
         {"a b", "a,b:x", "u@a", "a/b", "a:x", "a:123456", "[::1", "[::1]x", "::1", "[]", "%4", "a:80:80"}) {
        EXPECT_EQ(with_host(bad), "400 the host is malformed") << bad;
    }
}

TEST(http_request_parser, ambiguous_framing_is_refused) {
    EXPECT_EQ(with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
              "400 Content-Length and Transfer-Encoding together");
    EXPECT_EQ(with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
              "400 Content-Length and Transfer-Encoding together");
    EXPECT_EQ(with("Content-Length: 1\r\nContent-Length: 1\r\n"), "400 more than one Content-Length");
    for (const auto* bad : {"", "+1", "-1", "1, 1", "1 1", "0x1", "1a", "1."}) {
        EXPECT_EQ(with("Content-Length: " + std::string(bad) + "\r\n"), "400 Content-Length is not a number") << bad;
    }
    EXPECT_EQ(with("Content-Length: 99999999999999999999999999\r\n"), "413 the content is too large");
    for (const auto* bad : {"", "identity", "gzip", "chunked, gzip", "chunked, chunked", ", chunked", "xchunked",
                            "chunked;q=1", "\"chunked\"", "chunked,"}) {
        EXPECT_EQ(with("Transfer-Encoding: " + std::string(bad) + "\r\n"),
                  "400 chunked is not the last and only use of itself in Transfer-Encoding")
            << bad;
    }
    EXPECT_EQ(with("Transfer-Encoding: gzip, chunked\r\n"), "501 a transfer coding other than chunked");
    EXPECT_EQ(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
              "400 chunked is not the last and only use of itself in Transfer-Encoding");
    EXPECT_EQ(read("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "400 Transfer-Encoding in HTTP/1.0");
}

TEST(http_request_parser, chunks_that_are_refused) {
    EXPECT_EQ(chunks("0\r\n\r\n"), "POST /p | ");
    EXPECT_EQ(chunks("1 ; a = b\r\nx\r\n0\r\n\r\n"), "POST /p {x} | ");
    for (const auto* bad :
         {"x\r\n", "\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1_0\r\n", "11111111111111111\r\n"}) {
        EXPECT_EQ(chunks(bad), "POST /p400 the size of a chunk is malformed") << bad;
    }
    for (const auto* bad :
         {"1;\r\n", "1 \r\n", "1;a=\r\n", "1;a=\"b\r\n", "1;a b\r\n", "1;a=\"b\"c\r\n", "1;\x01\r\n"}) {
        EXPECT_EQ(chunks(bad), "POST /p400 a chunk extension is malformed") << bad;
    }
    EXPECT_EQ(chunks("1\nx"), "POST /p400 a line does not end in CRLF");
    EXPECT_EQ(chunks("1;a\rb\r\nx"), "POST /p400 a line does not end in CRLF");
    EXPECT_EQ(chunks("1\r\nxy"), "POST /p400 a chunk does not end in CRLF");
    EXPECT_EQ(chunks("1\r\nx\ry"), "POST /p400 a chunk does not end in CRLF");
    EXPECT_EQ(chunks("ffffffffffffffff\r\n"), "POST /p413 the content is too large");
}

TEST(http_request_parser, trailers_are_checked) {
    EXPECT_EQ(chunks("0\r\nA: b\r\n\r\n"), "POST /p | ");
    EXPECT_EQ(chunks("0\r\nContent-Length: 1\r\n\r\n"), "POST /p400 a field that may not be a trailer");
    EXPECT_EQ(chunks("0\r\nA : b\r\n\r\n"), "POST /p400 white space before the colon of a field");
    EXPECT_EQ(chunks("0\r\n A: b\r\n\r\n"), "POST /p400 a line starts with white space (obsolete line folding)");
    EXPECT_EQ(chunks("0\r\nA\r\n\r\n"), "POST /p400 a field name is not a token");
    EXPECT_EQ(chunks("0\r\nA: \x01\r\n\r\n"), "POST /p400 a field value has a control character");
    EXPECT_EQ(chunks("0\r\nA: b\n\r\n"), "POST /p400 a line does not end in CRLF");
}

TEST(http_request_parser, limits_are_exact) {
    parse_limits l;
    l.max_request_line = std::string_view("GET /12345 HTTP/1.1").size();
    EXPECT_EQ(read("GET /12345 HTTP/1.1\r\nHost: a\r\n\r\n", l), "GET /12345 | ");
    EXPECT_EQ(read("GET /123456 HTTP/1.1\r\nHost: a\r\n\r\n", l), "414 the request line is too long");
    EXPECT_EQ(read("GET /" + std::string(15, 'x'), l), "414 the request line is too long");
    l = {};
    l.max_header_bytes = std::string_view("Host: a\r\nB: c\r\n").size();
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n", l), "GET / | ");
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\nB: cd\r\n\r\n", l), "431 the header fields are too large");
    l = {};
    l.max_headers = 2;
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n", l), "GET / | ");
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nD: e\r\n\r\n", l), "431 too many header fields");
    l = {};
    l.max_body = 3;
    EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", l), "POST / {abc} | ");
    EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", l), "413 the content is too large");
    EXPECT_EQ(chunks("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", l), "POST /p {abc} | ");
    EXPECT_EQ(chunks("2\r\nab\r\n2\r\n", l), "POST /p413 the content is too large");
}

TEST(http_request_parser, chunk_limits_are_exact) {
    parse_limits l;
    l.max_chunk_line = 5;
    EXPECT_EQ(chunks("1;abc\r\nx\r\n0\r\n\r\n", l), "POST /p {x} | ");
    EXPECT_EQ(chunks("1;abcd\r\n", l), "POST /p400 a chunk's size and extensions are too long");
    EXPECT_EQ(chunks("1;abcde", l), "POST /p400 a chunk's size and extensions are too long");
    l = {};
    l.max_chunk_overhead = 10;
    const auto extended = [](std::size_t n) { return "1;" + std::string(n, 'e') + "\r\nx\r\n0\r\n\r\n"; };
    EXPECT_EQ(chunks(extended(22), l), "POST /p {x} | ");
    EXPECT_EQ(chunks(extended(23), l), "POST /p400 too much chunk framing for its content");
    l = {};
    l.max_trailers = 1;
    EXPECT_EQ(chunks("0\r\nA: b\r\nC: d\r\n\r\n", l), "POST /p431 the trailer fields are too large");
    l = {};
    l.max_trailer_bytes = 6;
    EXPECT_EQ(chunks("0\r\nA: b\r\n\r\n", l), "POST /p | ");
    EXPECT_EQ(chunks("0\r\nA: bcde\r\n\r\n", l), "POST /p431 the trailer fields are too large");
}

TEST(http_request_parser, every_error_names_a_status_and_a_section) {
    for (auto e = static_cast<unsigned>(parse_error::bad_method);
         e <= static_cast<unsigned>(parse_error::trailers_too_large); ++e) {
        const auto& why = describe(static_cast<parse_error>(e));
        EXPECT_GE(why.status, 400U);
        EXPECT_FALSE(why.section.empty());
    }
}

}  // namespace
}  // namespace headrace::net::http
