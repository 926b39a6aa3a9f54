// How one request ended.
// Threads:  plain values and pure functions.   Errors: none.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace headrace::load {

enum class outcome : std::uint8_t {
    ok,              ///< answered as expected
    bad_status,      ///< answered with a status that was not expected
    bad_body,        ///< answered without the text that was expected
    timed_out,       ///< no whole answer within the timeout
    refused,         ///< connection refused
    unreachable,     ///< no route, network down, no answer to the attempt to connect
    reset,           ///< the peer reset the connection
    closed,          ///< the connection ended before the first byte of an answer
    cut_short,       ///< the connection ended in the middle of an answer
    bad_response,    ///< what came is not HTTP/1.1
    tls_failed,      ///< no TLS connection: certificate, protocol, or the peer speaks none
    no_ports,        ///< this machine had no local port left (EADDRNOTAVAIL)
    no_descriptors,  ///< this process had no file descriptor left (EMFILE, ENFILE)
    other_error,     ///< another error of the operating system
};
inline constexpr std::size_t outcome_count = static_cast<std::size_t>(outcome::other_error) + 1;

/// "timed_out": the name in results.
std::string_view name_of(outcome o) noexcept;
/// "no whole answer within the timeout": for people.
std::string_view text_of(outcome o) noexcept;
/// What an error number of connect(), send() or recv() means.
outcome outcome_of_errno(int error) noexcept;
/// It never came to an answer that could be judged.
constexpr bool no_answer(outcome o) noexcept {
    return o > outcome::bad_body;
}

}  // namespace headrace::load
