// Drives a redis::session by hand: what it would write, and replies as if a server had sent them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <headrace/redis/session.hpp>
#include <string>
#include <vector>

namespace headrace::redis {

/// The bytes that the session would write now; they count as written.
inline std::string write_all(session& s, ns now = ns{0}) {
    std::string all;
    std::array<std::string_view, 16> pieces;
    for (std::size_t n = 0; (n = s.gather(pieces)) != 0;) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < n; ++i) {
            all += pieces[i];
            size += pieces[i].size();
        }
        s.on_written(size, now);
    }
    return all;
}

inline failure answer(session& s, std::string_view bytes, ns now = ns{0}) {
    return s.on_read(std::span(bytes.data(), bytes.size()), now);
}

/// Connected and greeted, with options that greet by PING alone.
inline void bring_up(session& s, ns now = ns{0}) {
    s.on_connected(now);
    EXPECT_EQ(write_all(s, now), "*1\r\n$4\r\nPING\r\n");
    EXPECT_FALSE(answer(s, "+PONG\r\n", now));
    EXPECT_EQ(s.current(), session::state::ready);
}

/// Writes down what happened to its command, in words.
class logging_handler final : public reply_handler {
public:
    void begin() override { log.push_back("begin"); }
    void status(std::string_view text) override { log.push_back("+" + std::string(text)); }
    void error(std::string_view text) override { log.push_back("-" + std::string(text)); }
    void string(std::string_view bytes) override { log.push_back("$" + std::string(bytes)); }
    void integer(std::int64_t value) override { log.push_back(":" + std::to_string(value)); }
    void nil() override { log.emplace_back("nil"); }
    void array(std::size_t n) override { log.push_back("*" + std::to_string(n)); }
    void done(ns) override { log.emplace_back("done"); }
    void lost(const failure& why) override { log.push_back("lost: " + why.code.message()); }
    std::vector<std::string> log;
};

}  // namespace headrace::redis
