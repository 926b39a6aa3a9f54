// One WebSocket between the server core and an application: handshake, messages, end.
//
// The handshake is answered when the application says so: accepted (101), closed (403), or denied with a response of its
// own (the extension websocket.http.response).
// Threads:  made on an I/O thread; everything else on the loop's, with the GIL.
// Lifetime: as of http_cycle.
// Errors:   misuse is raised in the application; what it raises is reported: 500 before the handshake, 1011 after it.
#pragma once

#include <headrace/net/http_owned_request.hpp>
#include <optional>

#include "channel.hpp"
#include "site.hpp"
#include "socket_link.hpp"

namespace headrace::bindings::asgi {

class websocket_cycle final : public channel {
public:
    /// The handshake was checked.
    websocket_cycle(site& s, const net::http::request& q, net::http::responder& r);

    PyObject* begin() override;
    void done(PyObject* result) noexcept override;
    void on_cancel() noexcept override;
    outcome receive(PyObject*& out) override;
    outcome send(PyObject* message, PyObject*& out) override;
    void refuse(unsigned status, std::string_view text);

private:
    enum class state : std::uint8_t { connecting, denying, denied, open, closed };

    ~websocket_cycle() override;
    outcome gone();
    bool left() const noexcept {
        return state_ <= state::denying && (stream_ ? stream_->cancelled() : answer_.cancelled());
    }
    outcome accept(PyObject* message);
    outcome close(PyObject* message);
    outcome send_message(PyObject* message, PyObject*& out);
    outcome start_denial(PyObject* message);
    outcome deny(PyObject* message, PyObject*& out);
    bool wait(PyObject*& out);
    void over(state last);
    PyObject* disconnect_message(const socket_link::end& e);

    const site_ref site_;
    const net::http::owned_request request_;
    const net::http::peer_address peer_;
    net::http::pending answer_;
    std::optional<net::http::body_stream> stream_;
    std::optional<net::http::response> denial_;
    const std::shared_ptr<socket_link> link_;
    std::shared_ptr<bell> end_;  // of the handshake, for receives that wait
    state state_ = state::connecting;
    bool connect_given_ = false;
    bool disconnected_ = false;
};

}  // namespace headrace::bindings::asgi
