#include <cerrno>
#include <headrace/load/outcome.hpp>

namespace headrace::load {
namespace {

struct words {
    std::string_view name, text;
};
// In the order of outcome.
constexpr std::array<words, outcome_count> table{{
    {"ok", "answered as expected"},
    {"bad_status", "answered with an unexpected status"},
    {"bad_body", "answered without the expected text"},
    {"timed_out", "no whole answer within the timeout"},
    {"refused", "connection refused"},
    {"unreachable", "address not reachable"},
    {"reset", "connection reset by the server"},
    {"closed", "connection closed before an answer"},
    {"cut_short", "connection closed in the middle of an answer"},
    {"bad_response", "the answer is not HTTP/1.1"},
    {"tls_failed", "no TLS connection"},
    {"no_ports", "no local port left"},
    {"no_descriptors", "no file descriptor left"},
    {"other_error", "error of the operating system"},
}};

}  // namespace

std::string_view name_of(outcome o) noexcept {
    return table[static_cast<std::size_t>(o)].name;
}
std::string_view text_of(outcome o) noexcept {
    return table[static_cast<std::size_t>(o)].text;
}

outcome outcome_of_errno(int error) noexcept {
    switch (error) {
        case ECONNREFUSED: return outcome::refused;
        case ETIMEDOUT:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EHOSTDOWN:
        case ENETDOWN: return outcome::unreachable;
        case ECONNRESET:
        case EPIPE:
        case ECONNABORTED: return outcome::reset;
        case EADDRNOTAVAIL:
        case EADDRINUSE:
        case EAGAIN: return outcome::no_ports;  // from connect() only: no entry left for the source
        case EMFILE:
        case ENFILE: return outcome::no_descriptors;
        default: return outcome::other_error;
    }
}

}  // namespace headrace::load
