#include "websocket_cycle.hpp"

#include "messages.hpp"
#include "scope.hpp"

namespace headrace::bindings::asgi {

namespace close_code = net::websocket::close_code;
using net::http::response;
using net::websocket::opcode;

namespace {

constexpr std::size_t longest_reason = 123;  // RFC 6455, section 5.5: a control frame has at most 125 bytes

bool read_text(PyObject* value, std::string& out) {
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == nullptr) return false;
    out.assign(text, static_cast<std::size_t>(size));
    return true;
}

bool read_close(PyObject* message, std::uint16_t& code, std::string& reason) {
    PyObject* const c = find(message, words().code);
    PyObject* const r = find(message, words().reason);
    if (PyErr_Occurred() != nullptr) return false;
    long n = 1000;
    if (c != nullptr && c != Py_None) {
        n = PyLong_Check(c) != 0 ? PyLong_AsLong(c) : -1;
        PyErr_Clear();
    }
    if (n < 1000 || n > 4999 || !net::websocket::may_be_sent(static_cast<std::uint16_t>(n))) {
        PyErr_Format(PyExc_ValueError, "a WebSocket cannot be closed with code %R", c);
        return false;
    }
    code = static_cast<std::uint16_t>(n);
    if (r == nullptr || r == Py_None) return true;
    if (PyUnicode_Check(r) == 0) {
        PyErr_SetString(PyExc_TypeError, "the reason of websocket.close is a str");
        return false;
    }
    if (!read_text(r, reason)) return false;
    if (reason.size() <= longest_reason) return true;
    PyErr_SetString(PyExc_ValueError, "the reason of websocket.close has at most 123 bytes");
    return false;
}

PyObject* new_message(PyObject* type) {
    PyObject* const made = PyDict_New();
    if (made != nullptr && PyDict_SetItem(made, words().type, type) == 0) return made;
    Py_XDECREF(made);
    return nullptr;
}

PyObject* received(const socket_link::message& m) {
    const bool text = m.code == opcode::text;
    const auto size = static_cast<Py_ssize_t>(m.payload.size());
    PyObject* const payload = text ? PyUnicode_DecodeUTF8(m.payload.data(), size, nullptr)
                                   : PyBytes_FromStringAndSize(m.payload.data(), size);
    PyObject* made = payload == nullptr ? nullptr : new_message(words().receive);
    if (made != nullptr && PyDict_SetItem(made, text ? words().text : words().bytes, payload) < 0) Py_CLEAR(made);
    Py_XDECREF(payload);
    return made;
}

}  // namespace

websocket_cycle::websocket_cycle(site& s, const net::http::request& q, net::http::responder& r)
    : site_(s), request_(q), peer_(r.peer()), answer_(r.defer()), link_(std::make_shared<socket_link>(r.thread())) {
    s.running.fetch_add(1, std::memory_order_relaxed);
}

websocket_cycle::~websocket_cycle() {
    site_->running.fetch_sub(1, std::memory_order_relaxed);
}

PyObject* websocket_cycle::begin() {
    return call(site_->own.application, make_websocket_scope(*site_, request_, peer_));
}

void websocket_cycle::done(PyObject* result) noexcept {
    const auto& head = request_.head();
    const bool failed = result == nullptr;
    const bool excused = failed && (disconnected_ || left() || link_->ended()) && gives_up();
    const bool unanswered = state_ == state::connecting || state_ == state::denying;
    if (failed && !excused) {
        site_->report("raised", head.method, head.path);
    } else if (unanswered && !left()) {
        site_->report("returned without an answer to the handshake", head.method, head.path);
    }
    PyErr_Clear();
    if (unanswered) {
        if (stream_) {
            stream_.reset();
        } else {
            answer_.send(response::text(500, "Internal Server Error"));
        }
        over(state::denied);
    } else if (state_ == state::open) {
        link_->close(failed ? close_code::internal_error : close_code::normal, {});
        over(state::closed);
    }
}

void websocket_cycle::on_cancel() noexcept {
    refuse(503, "the application has ended\n");
}

void websocket_cycle::refuse(unsigned status, std::string_view text) {
    auto r = response::text(status, std::string(text));
    r.fields.emplace_back("Retry-After", "1");
    answer_.send(std::move(r));
    state_ = state::denied;
}

void websocket_cycle::over(state last) {
    state_ = last;
    if (end_) end_->ring();
}

outcome websocket_cycle::gone() {
    disconnected_ = true;
    PyErr_SetString(site_->own.disconnected, "the client has left");
    return outcome::error;
}

PyObject* websocket_cycle::disconnect_message(const socket_link::end& e) {
    const auto& w = words();
    PyObject* made = new_message(w.websocket_disconnect);
    PyObject* code = PyLong_FromLong(e.code);
    PyObject* reason = PyUnicode_DecodeUTF8(e.reason.data(), static_cast<Py_ssize_t>(e.reason.size()), "replace");
    const bool good = made != nullptr && code != nullptr && reason != nullptr &&
                      PyDict_SetItem(made, w.code, code) == 0 && PyDict_SetItem(made, w.reason, reason) == 0;
    Py_XDECREF(code);
    Py_XDECREF(reason);
    if (!good) Py_CLEAR(made);
    return made;
}

// --- receive ---

outcome websocket_cycle::receive(PyObject*& out) {
    if (!std::exchange(connect_given_, true)) {
        out = new_message(words().connect);
    } else if (auto m = link_->take()) {
        out = received(*m);
    } else if (const auto e = link_->ended()) {
        out = disconnect_message(*e);
    } else if (state_ == state::denied || left()) {
        out = disconnect_message({});
    } else {
        return wait(out) ? outcome::wait : outcome::error;
    }
    return out == nullptr ? outcome::error : outcome::done;
}

// For a message, or the end. Before the handshake is answered only the client's leaving can come; then it waits again.
bool websocket_cycle::wait(PyObject*& out) {
    std::shared_ptr<finisher> told;
    out = make_wait(told);
    if (out == nullptr) return false;
    if (state_ != state::connecting && state_ != state::denying) {
        link_->on_event(std::move(told));
        return true;
    }
    if (!end_) {
        end_ = std::make_shared<bell>();
        const auto notice = [end = end_] { end->ring(); };
        stream_ ? stream_->on_cancel(notice) : answer_.on_cancel(notice);
    }
    end_->add(std::move(told));
    return true;
}

// --- send ---

outcome websocket_cycle::send(PyObject* message, PyObject*& out) {
    const auto& w = words();
    PyObject* const type = type_of(message);
    if (type == nullptr) return outcome::error;
    auto how = outcome::error;
    switch (state_) {
        case state::connecting:
            if (left()) return gone();
            if (same(type, w.accept)) {
                how = accept(message);
            } else if (same(type, w.close)) {
                site_->gather_answers();
                answer_.send(response::text(403, "Forbidden"));
                over(state::denied);
                how = outcome::done;
            } else if (same(type, w.denial_start)) {
                how = start_denial(message);
            } else {
                raise_unexpected(type,
                                 "a handshake is answered by websocket.accept, websocket.close or "
                                 "websocket.http.response.start");
            }
            break;
        case state::denying:
            if (left()) return gone();
            if (same(type, w.denial_body)) {
                how = deny(message, out);
            } else {
                raise_unexpected(type, "websocket.http.response.body comes next");
            }
            break;
        case state::open:
            if (same(type, w.send)) {
                how = send_message(message, out);
            } else if (same(type, w.close)) {
                how = close(message);
            } else {
                raise_unexpected(type, "the WebSocket is open: websocket.send or websocket.close come next");
            }
            break;
        case state::denied: raise_unexpected(type, "the handshake was refused"); break;
        case state::closed: raise_unexpected(type, "the WebSocket was closed"); break;
    }
    if (how == outcome::done) out = Py_NewRef(Py_None);
    return how;
}

outcome websocket_cycle::accept(PyObject* message) {
    response fields;
    std::string protocol;
    PyObject* const chosen = find(message, words().subprotocol);
    if (chosen != nullptr && chosen != Py_None) {
        if (PyUnicode_Check(chosen) == 0) {
            PyErr_SetString(PyExc_TypeError, "the subprotocol of websocket.accept is a str");
            return outcome::error;
        }
        if (!read_text(chosen, protocol)) return outcome::error;
        if (!net::http::is_token(protocol)) {
            PyErr_Format(PyExc_ValueError, "%R cannot be a subprotocol", chosen);
            return outcome::error;
        }
    }
    if (PyErr_Occurred() != nullptr || !read_headers(message, fields)) return outcome::error;
    for (const auto& [name, value] : fields.fields) {
        if (name.size() >= 14 &&
            net::http::equal_ignoring_case(std::string_view(name).substr(0, 14), "sec-websocket-")) {
            PyErr_Format(PyExc_ValueError, "%s is the server's; the subprotocol is a key of websocket.accept",
                         name.c_str());
            return outcome::error;
        }
    }
    // Our own bounds are in the link; a message is never cut off for its size.
    constexpr auto unlimited = static_cast<std::size_t>(PTRDIFF_MAX);
    const bool taken = answer_.accept_websocket(
        request_.head(), fields, protocol, link_->make_listener(),
        {.protocols = {}, .max_message = site_->own.max_websocket_message, .max_buffered = unlimited});
    over(state::open);
    return taken ? outcome::done : gone();
}

outcome websocket_cycle::close(PyObject* message) {
    std::uint16_t code = 0;
    std::string reason;
    if (!read_close(message, code, reason)) return outcome::error;
    if (!link_->close(code, std::move(reason))) return gone();
    over(state::closed);
    return outcome::done;
}

// Waits first, so that the message is sent once.
outcome websocket_cycle::send_message(PyObject* message, PyObject*& out) {
    if (!link_->has_room()) {
        std::shared_ptr<finisher> room;
        out = make_wait(room);
        if (out == nullptr) return outcome::error;
        link_->on_room(std::move(room));
        return outcome::wait;
    }
    PyObject* const text = find(message, words().text);
    PyObject* const bytes = find(message, words().bytes);
    if (PyErr_Occurred() != nullptr) return outcome::error;
    const bool has_text = text != nullptr && text != Py_None;
    const bool has_bytes = bytes != nullptr && bytes != Py_None;
    if (has_text == has_bytes) {
        PyErr_SetString(PyExc_ValueError, "websocket.send has either 'text' or 'bytes'");
        return outcome::error;
    }
    std::string payload;
    if (has_text) {
        if (PyUnicode_Check(text) == 0) {
            PyErr_SetString(PyExc_TypeError, "the text of websocket.send is a str");
            return outcome::error;
        }
        if (!read_text(text, payload)) return outcome::error;
    } else {
        Py_buffer view{};
        if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0) return outcome::error;
        payload.assign(static_cast<const char*>(view.buf), static_cast<std::size_t>(view.len));
        PyBuffer_Release(&view);
    }
    return link_->send(has_text ? opcode::text : opcode::binary, std::move(payload)) ? outcome::done : gone();
}

outcome websocket_cycle::start_denial(PyObject* message) {
    response head;
    if (!read_start(message, head)) return outcome::error;
    head.content_length = -1;  // the content that comes is counted
    denial_ = std::move(head);
    state_ = state::denying;
    return outcome::done;
}

outcome websocket_cycle::deny(PyObject* message, PyObject*& out) {
    body_of content(message);
    if (!content.read()) return outcome::error;
    site_->gather_answers();
    if (!stream_ && !content.more()) {
        denial_->body.assign(content.bytes());
        answer_.send(std::move(*denial_));
        over(state::denied);
        return outcome::done;
    }
    if (!stream_) stream_.emplace(answer_.stream(std::move(*denial_)));
    using result = net::http::body_stream::result;
    const auto taken = stream_->write(std::string(content.bytes()));
    if (taken == result::gone) return gone();
    if (taken == result::full) {
        std::shared_ptr<finisher> room;
        out = make_wait(room);
        if (out == nullptr) return outcome::error;
        stream_->on_writable([room] { (*room)(); });
        return outcome::wait;
    }
    if (!content.more()) {
        stream_->finish();
        over(state::denied);
    }
    return outcome::done;
}

}  // namespace headrace::bindings::asgi
