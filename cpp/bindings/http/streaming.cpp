#include "streaming.hpp"

#include <headrace/exec/settled_word.hpp>
#include <memory>

#include "../kept_thread_state.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

using stream_result = net::http::body_stream::result;

enum class step : std::uint8_t { piece, end, raised };

step next_piece(PyObject* iterator, std::string& out) {
    PyObject* const piece = PyIter_Next(iterator);
    if (piece == nullptr) return PyErr_Occurred() == nullptr ? step::end : step::raised;
    const bool good = to_piece(piece, out);
    Py_DECREF(piece);
    return good ? step::piece : step::raised;
}

// A generator that is not read to its end runs its finally clauses now.
void close_iterator(PyObject* iterator) {
    if (PyObject_HasAttrString(iterator, "close") == 0) return;
    PyObject* const done = PyObject_CallMethod(iterator, "close", nullptr);
    if (done == nullptr) PyErr_WriteUnraisable(iterator);
    Py_XDECREF(done);
}

// Waits without the GIL until the piece was taken.
stream_result write_all(net::http::body_stream& out, const std::string& piece) {
    const py::gil_scoped_release nogil;
    for (;;) {
        const auto taken = out.write(piece);
        if (taken != stream_result::full) return taken;
        const auto room = std::make_shared<exec::settled_word>();
        out.on_writable([room] { room->settle(); });
        while (!room->settled()) room->sleep(std::chrono::seconds{10});
    }
}

// An iterator whose pieces are written by whoever finds room: the I/O thread.
class later_stream : public std::enable_shared_from_this<later_stream> {
public:
    later_stream(net::http::body_stream out, std::string route, held_object iterator, std::function<void(bool)> ended)
        : out_(std::move(out)), route_(std::move(route)), iterator_(std::move(iterator)), ended_(std::move(ended)) {}

    void go_on() {
        for (;;) {
            if (!piece_.empty()) {
                const auto taken = out_.write(piece_);
                if (taken == stream_result::full) return wait_for_room();
                piece_.clear();
                if (taken == stream_result::gone) {
                    close_iterator(iterator_.get());
                    return ended_(true);
                }
            }
            switch (next_piece(iterator_.get(), piece_)) {
                case step::piece: break;
                case step::end: out_.finish(); return ended_(true);
                case step::raised:
                    static_cast<void>(answer_raised(route_));
                    out_ = net::http::body_stream(nullptr);
                    return ended_(false);
            }
        }
    }

private:
    void wait_for_room() {
        out_.on_writable([self = shared_from_this()] {
            const with_gil gil;
            self->go_on();
        });
    }

    net::http::body_stream out_;
    const std::string route_;
    const held_object iterator_;
    const std::function<void(bool)> ended_;
    std::string piece_;
};

}  // namespace

bool stream_here(http::route_job& job, answer a) {
    PyObject* const iterator = a.rest.get();
    auto out = job.home().stream(job, std::move(a.head));
    std::string piece;
    while (out) {
        switch (next_piece(iterator, piece)) {
            case step::piece:
                if (write_all(*out, piece) == stream_result::ok) continue;
                break;
            case step::end: out->finish(); return true;
            case step::raised: static_cast<void>(answer_raised(job.home().name())); return false;
        }
        break;
    }
    close_iterator(iterator);
    return true;
}

void stream_later(net::http::pending client, const std::string& route, answer a, std::function<void(bool)> ended) {
    auto out = client.stream(std::move(a.head));
    std::make_shared<later_stream>(std::move(out), route, std::move(a.rest), std::move(ended))->go_on();
}

}  // namespace headrace::bindings
