// One connection of a load: connect, shake hands, send a request, read its answer.
//
// Threads:  the worker's.   Lifetime: the request given to send() must live until its answer, or close().
// Errors:   step::failed, then how() and detail() say why; the connection is closed by then.
#pragma once

#include <headrace/load/http_answer.hpp>
#include <headrace/load/http_plan.hpp>
#include <headrace/load/http_tally.hpp>
#include <vector>

#include "client_socket.hpp"
#include "poller.hpp"

namespace headrace::load {

/// What the connections of one thread share.
struct http_io {
    poller events;
    http_tally& tally;
    SSL_CTX* tls = nullptr;
    bool verify = true;
    bool keep_alive = true;
    http_expectation expectation;
    std::vector<net::http::field> fields;
    std::vector<char> buffer;
};

class http_connection {
public:
    enum class phase : std::uint8_t { closed, connecting, shaking, idle, busy };
    enum class step : std::uint8_t {
        waiting,   ///< for the peer
        more,      ///< more can be read at once; call go_on() after the others had their turn
        complete,  ///< answered: how(), status(), bytes()
        failed,    ///< no answer: how(), detail()
    };

    /// Sends on the open connection; it must be idle.
    step send(http_io& io, const http_request& request);
    /// Connects first. `key` comes back with this connection's events.
    step open_and_send(http_io& io, const http_request& request, const http_origin& origin, const socket_address& to,
                       unsigned source, std::uint64_t key);
    step on_events(http_io& io, std::uint32_t events);
    step go_on(http_io& io) { return phase_ == phase::busy ? receive(io, true) : step::waiting; }
    void close() noexcept;

    bool closed() const noexcept { return phase_ == phase::closed; }
    bool idle() const noexcept { return phase_ == phase::idle; }
    /// The attempt to connect has not succeeded: another address may do.
    bool connecting() const noexcept { return connecting_; }
    /// It had answered before, and ended without a byte of this answer: most likely it was closed while idle.
    bool was_stale() const noexcept { return reused_ && !answer_.started(); }

    outcome how() const noexcept { return how_; }
    const std::string& detail() const noexcept { return detail_; }
    unsigned status() const noexcept { return answer_.status(); }
    std::uint64_t bytes() const noexcept { return answer_.bytes(); }

private:
    void begin(http_io& io, const http_request& request);
    step connected(http_io& io);
    step shake_hands(http_io& io);
    step send_rest(http_io& io);
    step receive(http_io& io, bool until_end);
    step take(http_io& io, http_answer::result r);
    void look_while_idle(http_io& io);
    step fail(outcome how, std::string detail);
    step fail_with(const io_result& r);

    client_socket socket_;
    http_answer answer_;
    const http_request* request_ = nullptr;
    std::string_view unsent_;
    ns opened_at_{0};
    std::string detail_;
    phase phase_ = phase::closed;
    outcome how_ = outcome::ok;
    bool tls_ = false;
    bool connecting_ = false;
    bool reused_ = false;
};

}  // namespace headrace::load
