// WebSocket frames (RFC 6455, section 5), for both roles: the header, the mask, and writing them.
// Threads:  pure functions.   Errors: the reader of messages (websocket_reader.hpp) judges what a header says.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace headrace::net::websocket {

enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

constexpr bool is_control(std::uint8_t code) noexcept {
    return (code & 8U) != 0;
}

/// Close codes that we send (RFC 6455, section 7.4.1).
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t none_given = 1005;  ///< never on the wire: the close frame had no code
inline constexpr std::uint16_t abnormal = 1006;    ///< never on the wire: there was no close frame
inline constexpr std::uint16_t bad_data = 1007;
inline constexpr std::uint16_t policy = 1008;
inline constexpr std::uint16_t too_big = 1009;
inline constexpr std::uint16_t internal_error = 1011;
}  // namespace close_code

/// Codes that may stand in a close frame: registered ones, 3000 to 3999 (registry) and 4000 to 4999 (private).
bool may_be_sent(std::uint16_t code) noexcept;

struct frame_header {
    bool fin = true;
    std::uint8_t rsv = 0;  ///< RSV1 to RSV3 as bits 4, 2, 1; not zero only where an extension was negotiated
    std::uint8_t code = 0;
    bool masked = false;
    std::array<char, 4> mask{};
    std::uint64_t size = 0;        ///< of the payload
    std::uint8_t header_size = 0;  ///< 2 to 14
    bool shortest = true;          ///< whether the size is written as short as it can be (a MUST)
};

/// Reads a header from the first bytes of `in`; false when there are too few of them.
bool read_header(std::string_view in, frame_header& out) noexcept;

/// Writes a header into `out` and returns its size. Without a mask it is what a server sends: header and payload may then
/// be one buffer that many connections share.
std::size_t write_header(std::span<char, 14> out, opcode code, std::uint64_t size, bool fin = true,
                         std::uint8_t rsv = 0, const std::array<char, 4>* mask = nullptr) noexcept;

/// XOR with the mask, from its byte `offset % 4` on, a machine word (or vector) at a time.
void apply_mask(std::span<char> bytes, const std::array<char, 4>& mask, std::uint64_t offset) noexcept;

/// A whole frame. A client gives a fresh random mask for each (RFC 6455, section 5.3).
void append_frame(std::string& out, opcode code, std::string_view payload, bool fin = true,
                  const std::array<char, 4>* mask = nullptr);
/// A close frame; `none_given` writes no code, and the reason is cut to what fits, at a character's boundary.
void append_close(std::string& out, std::uint16_t code, std::string_view reason,
                  const std::array<char, 4>* mask = nullptr);

}  // namespace headrace::net::websocket
