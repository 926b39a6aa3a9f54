// One request and its answer, between the server core and an application.
//
// The head is kept back until the first content: a whole answer leaves as one, with its length. Content of the request that
// came with its head is one http.request message; other content is read as it comes, a message for what has arrived.
// Threads:  made on an I/O thread; everything else on the loop's, with the GIL.
// Lifetime: a job; also held by the two ends that the application has.
// Errors:   misuse is raised in the application; what it raises, or leaves undone, is reported and answered 500 as long as
//           nothing was sent, and ends the connection afterwards.
#pragma once

#include <headrace/net/http_owned_request.hpp>
#include <optional>

#include "channel.hpp"
#include "site.hpp"

namespace headrace::bindings::asgi {

class http_cycle final : public channel {
public:
    http_cycle(site& s, const net::http::request& q, net::http::responder& r);

    PyObject* begin() override;
    void done(PyObject* result) noexcept override;
    void on_cancel() noexcept override;
    outcome receive(PyObject*& out) override;
    outcome send(PyObject* message, PyObject*& out) override;
    /// Before it was posted: the loop is gone, or busy.
    void refuse(unsigned status, std::string_view text);

private:
    enum class state : std::uint8_t { fresh, started, streaming, complete };

    ~http_cycle() override;
    bool left() const noexcept;
    outcome gone();
    outcome receive_piece(PyObject*& out);
    bool wait_for_piece(PyObject*& out);
    outcome start(PyObject* message, PyObject*& out);
    outcome body(PyObject* message, PyObject*& out);
    outcome whole(std::string_view bytes);
    outcome piece(std::string_view bytes, bool more, PyObject*& out);
    void completed();
    bool wait_for_end(PyObject*& out);
    void answer_500();

    const site_ref site_;
    const net::http::owned_request request_;
    const net::http::peer_address peer_;
    net::http::pending answer_;
    std::optional<net::http::body_reader> content_;  // until its end was given
    std::optional<net::http::body_stream> stream_;
    net::http::response head_;
    std::uint64_t sent_ = 0;  // bytes of streamed content
    state state_ = state::fresh;
    bool body_given_ = false;      // the last message of it, or how it failed
    bool disconnected_ = false;    // the application's send was told
    std::shared_ptr<bell> end_;    // for receives that wait; made when one does
    std::shared_ptr<bell> piece_;  // for those that wait for content
};

}  // namespace headrace::bindings::asgi
