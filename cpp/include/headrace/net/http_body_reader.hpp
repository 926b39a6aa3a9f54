// The content of a request that is read while it comes, for handlers of body_mode::streamed.
//
// What arrives waits for the reader, server_options::max_body_buffered bytes of it; then the connection is not read, which
// slows the client down, until the reader has taken it. A client that waits for 100 (Continue) gets it at the first read.
// Threads:  any, one at a time. Notices come on the I/O thread, or at once in the caller's.
// Lifetime: may outlive its connection and its server.
// Errors:   failed, then why(). What had arrived before is given first, and the answer is cancelled() by then.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace headrace::net::http {

class exchange;

/// Why content ended before its end.
enum class body_failure : std::uint8_t {
    none,
    left,       ///< The connection ended: the client left, or the server stopped.
    malformed,  ///< Its framing is broken; the client is answered 400.
    too_large,  ///< More than max_streamed_body; 413.
    too_slow,   ///< Slower than min_rate over body_timeout; 408.
    over,       ///< The answer was complete first; what was not read is thrown away.
};

class body_reader {
public:
    enum class result : std::uint8_t {
        piece,   ///< More may follow.
        end,     ///< `piece` is the last one; it may be empty. From then on: end, with an empty one.
        wait,    ///< Nothing has arrived. See on_readable().
        failed,  ///< See why().
    };
    /// Without an exchange: at its end.
    explicit body_reader(std::shared_ptr<exchange> shared) noexcept;
    body_reader(body_reader&&) noexcept;
    body_reader& operator=(body_reader&&) noexcept;
    ~body_reader();

    /// What has arrived, about one read of the socket, into `piece`; empty unless the result is piece or end.
    result read(std::string& piece);
    /// Calls `ready` once, when read() has something to say. One at a time: the last one counts.
    void on_readable(std::function<void()> ready);
    body_failure why() const;

private:
    std::shared_ptr<exchange> shared_;
};

}  // namespace headrace::net::http
