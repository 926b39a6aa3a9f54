// RESP2: commands to bytes, bytes to replies (Redis protocol specification, "RESP protocol spec").
// Parsing is hiredis's redisReader with our own object functions, so that a reply becomes calls and not a tree of
// allocations; whoever wants a tree has redis/value.hpp.
// Threads:  pure; one owner.   Lifetime: views given to a visitor live for the call.
// Errors:   feed() returns errc::protocol_error; the decoder is then useless until reset().
#pragma once

#include <cstddef>
#include <cstdint>
#include <headrace/base/error.hpp>
#include <headrace/net/out_buffer.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace headrace::redis {

/// Takes one reply as a walk over its tree: array(n) is followed by its n elements. What is not overridden is ignored.
class reply_visitor {
public:
    virtual ~reply_visitor() = default;
    virtual void begin() {}  ///< a new reply starts; whatever an interrupted one left behind is void
    virtual void status(std::string_view) {}
    virtual void error(std::string_view) {}
    virtual void string(std::string_view) {}
    virtual void integer(std::int64_t) {}
    virtual void nil() {}
    virtual void array(std::size_t) {}
};

/// Supplies the visitor of each reply in order, and hears when it is complete.
class reply_source {
public:
    virtual ~reply_source() = default;
    /// The visitor of the next reply, or nullptr when none was expected (a protocol error).
    virtual reply_visitor* next_reply() = 0;
    virtual void reply_done() = 0;
};

class decoder {
public:
    decoder();
    ~decoder();
    /// Forgets a half-read reply (new connection).
    void reset();
    /// The rest of the reply that is being read goes to `rest`; between replies nothing changes.
    void divert(reply_visitor& rest);
    failure feed(std::span<const char> bytes, reply_source& replies);

    struct state;

private:
    std::unique_ptr<state> state_;
};

/// One command as the protocol has it: an array of bulk strings.
void append_command(net::out_buffer& out, std::span<const std::string_view> args);
std::string format_command(std::span<const std::string_view> args);

/// Pieces of a command, for hot paths that know its shape.
void append_array_header(net::out_buffer& out, std::size_t elements);
void append_bulk(net::out_buffer& out, std::string_view bytes);

}  // namespace headrace::redis
