// A WebSocket after its handshake, as the server sees it.
//
// Threads:  the connection's own I/O thread only, every function and every callback; others post to thread().
// Lifetime: the connection keeps itself and its listener until on_close() has returned; after that send() does nothing.
// Errors:   on_close() exactly once, with the code that the peer sent, or ours when we ended it, or 1006.
// Stop:     close() sends a close frame and waits for the peer's as long as the server's linger_timeout says.
#pragma once

#include <headrace/net/runtime.hpp>
#include <headrace/net/websocket_frame.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::net::websocket {

struct connection_options {
    std::vector<std::string> protocols;          ///< subprotocols that we speak, the preferred first
    std::size_t max_message = 1024 * 1024;       ///< bytes of a message that is received; 1009
    std::size_t max_buffered = 8 * 1024 * 1024;  ///< bytes that wait for a slow peer; beyond it is cut off. 1008
};

class connection {
public:
    virtual ~connection() = default;
    /// Sends one message. Messages of one turn of the loop leave in one write.
    virtual void send(opcode code, std::string_view payload) = 0;
    /// Sends frames that are already written out and may be shared by many connections.
    virtual void send_frames(std::shared_ptr<const std::string> frames) = 0;
    virtual void close(std::uint16_t code, std::string_view reason) = 0;
    /// Bytes that the kernel has not taken yet.
    virtual std::size_t buffered() const noexcept = 0;
    virtual io_thread& thread() noexcept = 0;
    /// Reads no further, and so slows the peer down, until resume(). Messages that have arrived whole wait, too.
    virtual void pause() noexcept = 0;
    virtual void resume() = 0;
};

class listener {
public:
    virtual ~listener() = default;
    virtual void on_open(const std::shared_ptr<connection>& peer) = 0;
    /// `code` is text or binary; the payload lives until it returns.
    virtual void on_message(connection& peer, opcode code, std::string_view payload) = 0;
    virtual void on_close(connection& peer, std::uint16_t code, std::string_view reason) = 0;
    /// At the end of a turn in which this connection wrote or read: buffered() may have changed.
    virtual void on_progress(connection&) {}
};

}  // namespace headrace::net::websocket
