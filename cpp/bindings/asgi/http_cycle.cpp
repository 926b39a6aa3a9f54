#include "http_cycle.hpp"

#include "../python_error.hpp"
#include "messages.hpp"
#include "scope.hpp"

namespace headrace::bindings::asgi {

using net::http::response;

http_cycle::http_cycle(site& s, const net::http::request& q, net::http::responder& r)
    : site_(s), request_(q), peer_(r.peer()), answer_(r.defer()) {
    if (q.body_follows) content_.emplace(answer_.content());
    s.running.fetch_add(1, std::memory_order_relaxed);
}

http_cycle::~http_cycle() {
    if (state_ != state::complete) answer_500();
    site_->running.fetch_sub(1, std::memory_order_relaxed);
}

PyObject* http_cycle::begin() {
    site_->gather_answers();
    return call(site_->own.application, make_http_scope(*site_, request_, peer_));
}

void http_cycle::done(PyObject* result) noexcept {
    const auto& head = request_.head();
    const bool excused = disconnected_ || left();  // an application may give up when nobody listens any more
    if (result == nullptr) {
        if (!excused || !gives_up()) site_->report("raised", head.method, head.path);
    } else if (state_ == state::fresh && !excused) {
        site_->report("returned without a response", head.method, head.path);
    } else if (state_ != state::complete && !excused) {
        site_->report("returned before its response was complete", head.method, head.path);
    }
    PyErr_Clear();
    if (state_ != state::complete) {
        site_->gather_answers();
        answer_500();
        completed();
    }
}

void http_cycle::on_cancel() noexcept {
    refuse(503, "the application has ended\n");
}

void http_cycle::refuse(unsigned status, std::string_view text) {
    auto r = response::text(status, std::string(text));
    r.fields.emplace_back("Retry-After", "1");
    answer_.send(std::move(r));
    state_ = state::complete;
}

// What has begun cannot be taken back: then the end of the connection tells the client.
void http_cycle::answer_500() {
    if (stream_) {
        stream_.reset();
    } else {
        answer_.send(response::text(500, "Internal Server Error"));
    }
}

bool http_cycle::left() const noexcept {
    return stream_ ? stream_->cancelled() : state_ != state::complete && answer_.cancelled();
}

void http_cycle::completed() {
    state_ = state::complete;
    if (content_) body_given_ = true;
    content_.reset();
    if (end_) end_->ring();
    if (piece_) piece_->ring();
}

outcome http_cycle::gone() {
    disconnected_ = true;
    PyErr_SetString(site_->own.disconnected, "the client has left");
    return outcome::error;
}

namespace {

outcome request_message(std::string_view body, bool more, PyObject*& out) {
    const auto& w = words();
    PyObject* const bytes = body.empty() ? Py_NewRef(w.empty_bytes)
                                         : PyBytes_FromStringAndSize(body.data(), static_cast<Py_ssize_t>(body.size()));
    out = bytes == nullptr ? nullptr : PyDict_New();
    const bool good = out != nullptr && PyDict_SetItem(out, w.type, w.request) == 0 &&
                      PyDict_SetItem(out, w.body, bytes) == 0 &&
                      PyDict_SetItem(out, w.more_body, more ? Py_True : Py_False) == 0;
    Py_XDECREF(bytes);
    if (good) return outcome::done;
    Py_CLEAR(out);
    return outcome::error;
}

}  // namespace

outcome http_cycle::receive(PyObject*& out) {
    const auto& w = words();
    if (content_) {
        const auto how = receive_piece(out);
        if (content_ || how != outcome::done || out != nullptr) return how;
    }
    if (!std::exchange(body_given_, true)) return request_message(request_.body(), false, out);
    if (state_ == state::complete || left()) {
        out = PyDict_New();
        if (out != nullptr && PyDict_SetItem(out, w.type, w.disconnect) == 0) return outcome::done;
        Py_CLEAR(out);
        return outcome::error;
    }
    return wait_for_end(out) ? outcome::wait : outcome::error;
}

// Done without a message: there will be none, for the client has left, or what it sends cannot be read.
outcome http_cycle::receive_piece(PyObject*& out) {
    using result = net::http::body_reader::result;
    std::string bytes;
    const auto got = content_->read(bytes);
    if (got == result::wait) return wait_for_piece(out) ? outcome::wait : outcome::error;
    if (got == result::piece) return request_message(bytes, true, out);
    content_.reset();
    body_given_ = true;
    return got == result::end ? request_message(bytes, false, out) : outcome::done;
}

bool http_cycle::wait_for_piece(PyObject*& out) {
    std::shared_ptr<finisher> done;
    out = make_wait(done);
    if (out == nullptr) return false;
    const bool first = !piece_ || piece_->rung();
    if (first) piece_ = std::make_shared<bell>();
    piece_->add(std::move(done));
    if (first) content_->on_readable([arrived = piece_] { arrived->ring(); });
    return true;
}

// Until the client leaves, or the answer is complete.
bool http_cycle::wait_for_end(PyObject*& out) {
    std::shared_ptr<finisher> done;
    out = make_wait(done);
    if (out == nullptr) return false;
    if (!end_) {
        end_ = std::make_shared<bell>();
        const auto notice = [end = end_] { end->ring(); };
        stream_ ? stream_->on_cancel(notice) : answer_.on_cancel(notice);
    }
    end_->add(std::move(done));
    return true;
}

outcome http_cycle::send(PyObject* message, PyObject*& out) {
    PyObject* const type = type_of(message);
    if (type == nullptr) return outcome::error;
    if (state_ == state::complete) {
        raise_unexpected(type, "the response is complete");
        return outcome::error;
    }
    if (left()) return gone();
    if (same(type, words().response_start)) return start(message, out);
    if (same(type, words().response_body)) return body(message, out);
    raise_unexpected(type, "a response is made of http.response.start and http.response.body");
    return outcome::error;
}

outcome http_cycle::start(PyObject* message, PyObject*& out) {
    if (state_ != state::fresh) {
        raise_unexpected(words().response_start, "the response has started already");
        return outcome::error;
    }
    response head;
    if (!read_start(message, head)) return outcome::error;
    head_ = std::move(head);
    state_ = state::started;
    out = Py_NewRef(Py_None);
    return outcome::done;
}

outcome http_cycle::body(PyObject* message, PyObject*& out) {
    if (state_ == state::fresh) {
        raise_unexpected(words().response_body, "http.response.start comes first");
        return outcome::error;
    }
    body_of content(message);
    if (!content.read()) return outcome::error;
    const auto how = state_ == state::started && !content.more() ? whole(content.bytes())
                                                                 : piece(content.bytes(), content.more(), out);
    if (how == outcome::done) out = Py_NewRef(Py_None);
    return how;
}

namespace {

outcome wrong_length(bool longer) {
    PyErr_SetString(PyExc_RuntimeError, longer ? "the response is longer than its content-length"
                                               : "the response is shorter than its content-length");
    return outcome::error;
}

}  // namespace

outcome http_cycle::whole(std::string_view bytes) {
    const bool content =
        request_.head().known_method != net::http::verb::head && net::http::may_have_content(head_.status);
    const auto declared = static_cast<std::uint64_t>(head_.content_length);
    if (content && head_.content_length >= 0 && bytes.size() != declared) return wrong_length(bytes.size() > declared);
    site_->gather_answers();
    head_.body.assign(bytes);
    const bool taken = answer_.send(std::move(head_));
    completed();
    return taken ? outcome::done : gone();
}

// A step that found no room comes here again with the same message.
outcome http_cycle::piece(std::string_view bytes, bool more, PyObject*& out) {
    const bool content =
        request_.head().known_method != net::http::verb::head && net::http::may_have_content(head_.status);
    const bool counted = content && head_.content_length >= 0;
    const auto declared = static_cast<std::uint64_t>(head_.content_length);
    if (counted && sent_ + bytes.size() > declared) return wrong_length(true);
    if (counted && !more && sent_ + bytes.size() < declared) return wrong_length(false);
    site_->gather_answers();
    if (state_ == state::started) {
        const auto length = head_.content_length;
        stream_.emplace(answer_.stream(std::move(head_)));
        head_.content_length = length;
        state_ = state::streaming;
    }
    using result = net::http::body_stream::result;
    const auto taken = content ? stream_->write(std::string(bytes)) : result::ok;
    if (taken == result::gone) return gone();
    if (taken == result::full) {
        std::shared_ptr<finisher> room;
        out = make_wait(room);
        if (out == nullptr) return outcome::error;
        stream_->on_writable([room] { (*room)(); });
        return outcome::wait;
    }
    sent_ += bytes.size();
    if (!more) {
        stream_->finish();
        completed();
    }
    return outcome::done;
}

}  // namespace headrace::bindings::asgi
