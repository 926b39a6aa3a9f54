// A server may send anything: replies read the same however they are torn, and every command hears exactly once how it
// ended.
//
// The first input byte is the size of the pieces; the rest is what the server says.
#include <cstdlib>
#include <headrace/redis/session.hpp>
#include <headrace/redis/value.hpp>
#include <string>

namespace {

using namespace headrace;
using namespace headrace::redis;

void require(bool promise) {
    if (!promise) std::abort();
}

// One reply or many, in words.
struct listener final : reply_source, reply_visitor {
    reply_visitor* next_reply() override { return this; }
    void reply_done() override { whole = log.size(); }
    void status(std::string_view text) override { word('+', text); }
    void error(std::string_view text) override { word('-', text); }
    void string(std::string_view bytes) override { word('$', bytes); }
    void integer(std::int64_t value) override { word(':', std::to_string(value)); }
    void nil() override { word('_', {}); }
    void array(std::size_t elements) override { word('*', std::to_string(elements)); }
    void word(char type, std::string_view text) {
        log.push_back(type);
        log.append(std::to_string(text.size())).push_back(' ');
        log.append(text);
    }
    std::string log;
    std::size_t whole = 0;  // of log: complete replies
};

struct outcome {
    std::string log;
    std::size_t whole;
    bool failed;
};

outcome decode(std::string_view bytes, std::size_t piece) {
    listener to;
    decoder d;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        const auto part = bytes.substr(at, piece);
        if (d.feed({part.data(), part.size()}, to)) return {to.log, to.whole, true};
    }
    return {to.log, to.whole, false};
}

struct handler final : reply_handler {
    void begin() override { tree.begin(); }
    void status(std::string_view text) override { tree.status(text); }
    void error(std::string_view text) override { tree.error(text); }
    void string(std::string_view bytes) override { tree.string(bytes); }
    void integer(std::int64_t number) override { tree.integer(number); }
    void nil() override { tree.nil(); }
    void array(std::size_t elements) override { tree.array(elements); }
    void done(ns) override { ++ended; }
    void lost(const failure&) override { ++ended; }
    value_builder tree;
    int ended = 0;
};

void run_session(std::string_view bytes, std::size_t piece) {
    session s({});
    std::vector<std::shared_ptr<handler>> handlers;
    for (int i = 0; i < 8; ++i) {
        handlers.push_back(std::make_shared<handler>());
        s.commands().append("command");
        if (i < 6) {
            const ns deadline = i == 2 ? ns{3} : session::no_deadline;
            s.expect_reply(handlers.back(), deadline, i % 2 == 0 ? when_lost::fail : when_lost::replay, i == 3 ? 3 : 1);
        } else {
            s.expect_held_reply(handlers.back());
        }
    }
    std::string_view pieces[4];
    const auto write = [&] {
        while (const auto n = s.gather(pieces)) {
            std::size_t size = 0;
            for (std::size_t i = 0; i < n; ++i) size += pieces[i].size();
            s.on_written(size, ns{1});
        }
    };
    s.on_connected(ns{0});
    write();
    std::int64_t now = 1;
    for (std::size_t at = 0; at < bytes.size(); at += piece, ++now) {
        const auto part = bytes.substr(at, piece);
        if (s.on_read({part.data(), part.size()}, ns{now})) {
            s.on_lost(failure::of(errc::connection_failed, "bad reply"));
            s.on_connected(ns{now});
        }
        s.on_tick(ns{now});
        if (now == 5) s.release(1);
        write();
    }
    s.on_given_up(failure::of(errc::closed, "the end"));
    for (const auto& h : handlers) require(h->ended == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t piece = std::size_t{data[0]} + 1;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto whole = decode(bytes, bytes.size());
    const auto torn = decode(bytes, piece);
    require(whole.failed == torn.failed && whole.log == torn.log && whole.whole == torn.whole);
    run_session(bytes, piece);
    return 0;
}
