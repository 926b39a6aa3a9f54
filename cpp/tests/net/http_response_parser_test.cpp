#include <gtest/gtest.h>

#include <headrace/net/http_response_parser.hpp>
#include <string>

namespace headrace::net::http {
namespace {

using event = parse_event;

// What a stream of bytes means, as text: "200 OK {3:abc} keep | ... | bad status".
class reader {
public:
    explicit reader(bool answers_head = false, parse_limits limits = response_limits) : limits_(limits) {
        parser_.expect(answers_head);
    }

    std::string read(std::string_view bytes, std::size_t piece = std::string_view::npos) {
        for (std::size_t at = 0; at < bytes.size();) {
            const auto some = bytes.substr(at, piece);
            at += some.size();
            pending_ += some;
            if (!drain()) break;
        }
        return log_;
    }
    std::string end() {
        const auto e = parser_.end_of_stream(!pending_.empty());
        if (e == event::complete) note_end();
        if (e == event::failed) log_ += describe(parser_.error()).text;
        return log_;
    }

private:
    bool drain() {
        std::size_t used = 0;
        for (;;) {
            const auto s = parser_.next(std::string_view(pending_).substr(used), fields_, head_);
            used += s.consumed;
            if (s.what == event::need_more) break;
            if (s.what == event::failed) {
                log_ += describe(parser_.error()).text;
                return false;
            }
            if (s.what == event::head) {
                log_ += std::to_string(head_.status) + " " + std::string(head_.reason);
                keep_ = head_.keep_alive;
            }
            if (s.what == event::body) body_ += s.piece;
            if (s.what == event::complete) note_end();
        }
        pending_.erase(0, used);
        return true;
    }
    void note_end() {
        if (!body_.empty()) log_ += " {" + body_ + "}";
        log_ += keep_ ? " keep | " : " close | ";
        body_.clear();
    }

    parse_limits limits_;
    response_parser parser_{limits_};
    std::vector<field> fields_;
    response_head head_;
    std::string pending_, body_, log_;
    bool keep_ = false;
};

std::string read(std::string_view bytes) {
    return reader().read(bytes);
}
// A 200 whose head has these lines.
std::string with(std::string_view lines, std::string_view content = "") {
    return read("HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n" + std::string(content));
}

TEST(http_response, content_with_a_length) {
    EXPECT_EQ(with("Content-Length: 3\r\n", "abc"), "200 OK {abc} keep | ");
    EXPECT_EQ(with("content-length: 0\r\n"), "200 OK keep | ");
    EXPECT_EQ(with("Content-Length: 3\r\nConnection: x, Close\r\n", "abc"), "200 OK {abc} close | ");
}

TEST(http_response, content_in_chunks) {
    EXPECT_EQ(with("Transfer-Encoding: Chunked\r\n", "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"), "200 OK {abc} keep | ");
    EXPECT_EQ(with("Transfer-Encoding: chunked\r\n", "3\r\nabcX"), "200 OKa chunk does not end in CRLF");
    EXPECT_EQ(with("Transfer-Encoding: chunked\r\n", "g\r\n"), "200 OKthe size of a chunk is malformed");
}

TEST(http_response, content_until_the_end_of_the_stream) {
    reader r;
    EXPECT_EQ(r.read("HTTP/1.1 200 OK\r\n\r\nabc"), "200 OK");
    EXPECT_EQ(r.end(), "200 OK {abc} close | ");
}

TEST(http_response, some_have_no_content_whatever_their_head_says) {
    EXPECT_EQ(read("HTTP/1.1 204 No Content\r\n\r\n"), "204 No Content keep | ");
    EXPECT_EQ(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), "304 Not Modified keep | ");
    EXPECT_EQ(reader(true).read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), "200 OK keep | ");
    EXPECT_EQ(reader(true).read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "200 OK keep | ");
    EXPECT_EQ(reader(true).read("HTTP/1.1 200 OK\r\n\r\n"), "200 OK keep | ");
}

TEST(http_response, interim_ones_come_before_the_final_one) {
    EXPECT_EQ(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
              "100 Continue keep | 200 OK keep | ");
    EXPECT_EQ(read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "101 Switching Protocols close | ");
}

TEST(http_response, a_reason_may_be_empty_or_missing) {
    EXPECT_EQ(read("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), "200  keep | ");
    EXPECT_EQ(read("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "200  keep | ");
    EXPECT_EQ(read("HTTP/1.1 299 \xc3\xa9 y\r\nContent-Length: 0\r\n\r\n"), "299 \xc3\xa9 y keep | ");
}

TEST(http_response, http_10_closes_unless_it_says_otherwise) {
    EXPECT_EQ(read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), "200 OK close | ");
    EXPECT_EQ(read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), "200 OK keep | ");
    EXPECT_EQ(read("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "Transfer-Encoding in HTTP/1.0");
}

TEST(http_response, what_two_readers_could_frame_differently_is_refused) {
    EXPECT_EQ(with("Content-Length: 3\r\nContent-Length: 3\r\n"), "more than one Content-Length");
    EXPECT_EQ(with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
              "Content-Length and Transfer-Encoding together");
    EXPECT_EQ(with("Content-Length: +3\r\n"), "Content-Length is not a number");
    EXPECT_EQ(with("Content-Length: 3, 3\r\n"), "Content-Length is not a number");
    EXPECT_EQ(with("Transfer-Encoding: gzip, chunked\r\n"), "a transfer coding other than chunked");
    EXPECT_EQ(with("Transfer-Encoding: chunked, chunked\r\n"),
              "chunked is not the last and only use of itself in Transfer-Encoding");
    EXPECT_EQ(with("Content-Length : 3\r\n"), "white space before the colon of a field");
    EXPECT_EQ(with("X: a\r\n b\r\n"), "a line starts with white space (obsolete line folding)");
    EXPECT_EQ(with("X: a\n"), "a line does not end in CRLF");
}

TEST(http_response, what_is_no_response_is_refused_at_once) {
    const std::string no = "the response does not begin with HTTP/1.0 or HTTP/1.1, a status and a reason";
    for (const auto* bytes : {"SSH", "<html>", "HTTP/2 200", "http/1.1", "HTTP/1.1  ", "HTTP/1.1 2x", "HTTP/1.1 20 ",
                              "HTTP/1.1 2000", "HTTP/1.1\t200", "\r\nHTTP/1.1 200 OK"}) {
        EXPECT_EQ(read(bytes), no) << bytes;
    }
    EXPECT_EQ(read("HTTP/1.1 099"), "the status is not between 100 and 599");
    EXPECT_EQ(read("HTTP/1.1 600"), "the status is not between 100 and 599");
    EXPECT_EQ(read("HTTP/1.1 200 O\x01K\r\n"), "a line does not end in CRLF");
}

TEST(http_response, is_the_same_however_it_is_cut) {
    const std::string two =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
        "3;a=\"b\"\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nT: 1\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nde";
    const auto whole = read(two);
    EXPECT_EQ(whole, "100 Continue keep | 200 OK {abc0123456789abcdef} keep | 404 No {de} keep | ");
    for (std::size_t piece = 1; piece < two.size(); ++piece) EXPECT_EQ(reader().read(two, piece), whole) << piece;
}

TEST(http_response, the_end_of_the_stream_in_its_middle_is_told) {
    EXPECT_EQ(reader().end(), "") << "between two responses it is not a failure";
    for (const auto* bytes : {"H", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"}) {
        reader r;
        r.read(bytes);
        EXPECT_NE(r.end().find("ended in the middle"), std::string::npos) << bytes;
    }
}

TEST(http_response, limits_hold) {
    const parse_limits small{.max_request_line = 20, .max_headers = 2, .max_header_bytes = 40, .max_body = 5};
    EXPECT_EQ(reader(false, small).read("HTTP/1.1 200 a long reason"),
              "the response does not begin with HTTP/1.0 or HTTP/1.1, a status and a reason");
    EXPECT_EQ(reader(false, small).read("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n"), "too many header fields");
    EXPECT_EQ(reader(false, small).read("HTTP/1.1 200 OK\r\nA: " + std::string(50, 'x')),
              "the header fields are too large");
    EXPECT_EQ(reader(false, small).read("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"), "the content is too large");
    EXPECT_EQ(reader().read("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
              "the content is too large");
}

}  // namespace
}  // namespace headrace::net::http
