// Messages out of a stream of WebSocket frames (RFC 6455, sections 5 to 7).
//
// Checked: masking by role, reserved bits and codes, shortest sizes, fragmentation, control frames between fragments, UTF-8
// of text and of close reasons as it arrives, close codes, and the limits, before memory is spent on what exceeds them.
// A message that lies whole in the caller's buffer is unmasked there and not copied.
// RSV1 is refused until permessage-deflate (RFC 7692) is negotiated: `allowed_rsv` is where that goes in.
//
// Threads:  pure; one owner.
// Lifetime: a step's payload points into the caller's buffer or into the reader, until the next call.
// Errors:   event::failed with the close code and reason to send; nothing can be read after it.
#pragma once

#include <headrace/net/utf8.hpp>
#include <headrace/net/websocket_frame.hpp>
#include <span>
#include <string>
#include <string_view>

namespace headrace::net::websocket {

enum class role : std::uint8_t { server, client };

struct reader_options {
    role reads_as = role::server;           ///< a server's frames come masked, a client's must not
    std::size_t max_message = 1024 * 1024;  ///< bytes of one message, all fragments together. 1009
    std::uint8_t allowed_rsv = 0;           ///< bits that a negotiated extension uses, as in frame_header::rsv
};

class reader {
public:
    enum class event : std::uint8_t {
        need_more,  ///< What was not consumed must be given again, with more behind it.
        text,       ///< `payload` is a whole text message.
        binary,     ///< `payload` is a whole binary message.
        ping,       ///< Answer with a pong of the same payload.
        pong,
        close,   ///< code() and `payload`, the reason. Answer with a close, then end the connection.
        failed,  ///< Send a close with code() and `payload` as reason, then end the connection.
    };
    struct step {
        event what;
        std::size_t consumed;
        std::string_view payload;
    };

    explicit reader(reader_options options = {}) : options_(options) {}

    /// Looks at the bytes from the first that was not consumed on. They are unmasked in place as far as they were read.
    step next(std::span<char> in);
    std::uint16_t code() const noexcept { return code_; }

private:
    step fail(std::uint16_t code, std::string_view reason) noexcept;
    std::string_view judge(const frame_header& h) noexcept;
    step start_frame(std::span<char> in);
    step data(std::span<char> in);
    step finish_message(std::size_t consumed, std::string_view payload);
    step control(std::span<char> payload, std::size_t consumed);
    step read_close(std::string_view payload, std::size_t consumed);

    reader_options options_;
    frame_header frame_;
    bool in_frame_ = false;    // of a data frame: part of its payload was read
    bool in_message_ = false;  // a data frame without FIN was read
    bool text_ = false;        // the message is text
    bool failed_ = false;
    std::uint16_t code_ = 0;
    std::uint64_t read_ = 0;  // of the frame's payload
    utf8_validator utf8_;
    std::string message_;  // what was read of a message that did not come in one piece
};

}  // namespace headrace::net::websocket
