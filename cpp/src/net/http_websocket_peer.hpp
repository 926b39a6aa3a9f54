// The protocol side of a WebSocket on a server's connection: messages to the listener, frames to the connection's queue.
// Threads:  the I/O thread.   Lifetime: the connection calls on_lost() when it goes; until then it is there.
#pragma once

#include <headrace/net/websocket_connection.hpp>
#include <headrace/net/websocket_reader.hpp>
#include <memory>
#include <span>

namespace headrace::net::http {

class connection;

class websocket_peer final : public websocket::connection, public std::enable_shared_from_this<websocket_peer> {
public:
    websocket_peer(http::connection& owner, std::shared_ptr<websocket::listener> events,
                   const websocket::connection_options& options);

    void open();
    /// Everything complete in `in`; returns how much was consumed.
    std::size_t read(std::span<char> in);
    /// The ping interval passed; false when the peer did not answer the last ping.
    bool on_silence(bool heard);
    /// The connection ended without a close frame, or after ours was not answered.
    void on_lost();

    void send(websocket::opcode code, std::string_view payload) override;
    void send_frames(std::shared_ptr<const std::string> frames) override;
    void close(std::uint16_t code, std::string_view reason) override;
    std::size_t buffered() const noexcept override;
    io_thread& thread() noexcept override;
    void pause() noexcept override { paused_ = true; }
    void resume() override;
    bool paused() const noexcept { return paused_; }
    void on_progress();

private:
    bool handle(const websocket::reader::step& s);
    void message(websocket::opcode code, std::string_view payload);
    void put(std::string_view frame);
    void check_buffered();
    void finish(std::uint16_t code, std::string_view reason);

    http::connection* owner_;  // nullptr once it has gone
    io_thread& thread_;
    std::shared_ptr<websocket::listener> events_;
    websocket::reader reader_;
    const std::size_t max_buffered_;
    std::string frame_;
    bool asked_ = false;  // a ping is unanswered
    bool close_sent_ = false;
    bool paused_ = false;
    std::uint16_t close_code_ = websocket::close_code::abnormal;
    std::string close_reason_;
};

}  // namespace headrace::net::http
