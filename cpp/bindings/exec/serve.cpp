#include "serve.hpp"

#include <headrace/exec/process_worker.hpp>
#include <unordered_map>

#include "../errors.hpp"
#include "pickling.hpp"
#include "placed_bytes.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

using exec::frame_header;
using exec::frame_kind;
using exec::message_body;
using exec::process_worker;

constexpr ns slice = std::chrono::seconds{10};  // signals end a wait sooner

class serving {
public:
    serving(std::unique_ptr<process_worker> worker, py::object set_up, py::object pack_error)
        : worker_(std::move(worker)), set_up_(std::move(set_up)), pack_error_(std::move(pack_error)) {}

    /// Throws what a signal handler raised.
    void run() {
        frame_header header;
        message_body body;
        for (;;) {
            const auto event = next(header, body);
            if (PyErr_CheckSignals() != 0) throw py::error_already_set();
            if (event == process_worker::event::gone) return;
            if (event == process_worker::event::frame && !obey(header, std::move(body))) return;
        }
    }

private:
    // What has come already is taken without letting go of the GIL.
    process_worker::event next(frame_header& header, message_body& body) {
        const auto event = worker_->next(header, body, ns{0});
        if (event != process_worker::event::nothing) return event;
        const py::gil_scoped_release nogil;
        return worker_->next(header, body, slice);
    }

    bool obey(const frame_header& header, message_body&& body) {
        switch (header.kind) {
            case frame_kind::hello: return set_up(std::move(body));
            case frame_kind::function: functions_[header.function] = std::move(body); return true;
            case frame_kind::forget:
                functions_.clear();
                loaded_.clear();
                return true;
            case frame_kind::call: call(header, std::move(body)); return true;
            default: return false;
        }
    }

    bool set_up(message_body&& body) {
        PyObject* const settings = load(std::move(body));
        PyObject* const done = settings == nullptr ? nullptr : PyObject_CallOneArg(set_up_.ptr(), settings);
        Py_XDECREF(settings);
        if (done != nullptr) {
            Py_DECREF(done);
            send(frame_kind::ready, 0, {});
            return true;
        }
        const std::string text = py::error_already_set().what();
        send(frame_kind::not_ready, 0, {text.substr(0, 2000), nullptr, {}});
        return false;
    }

    void call(const frame_header& header, message_body&& request) {
        if (!worker_->claim(header)) {
            request.give_back();
            return;
        }
        message_body answer;
        late_copy later;
        auto kind = frame_kind::value;
        PyObject* result = perform(header.function, std::move(request));
        if (result == nullptr || !pack(result, answer, later)) {
            kind = frame_kind::error;
            pack_raised(answer, later);
        }
        send(kind, header.id, answer);
        if (later.pending()) {
            const py::gil_scoped_release nogil;
            later.run();
        }
        Py_XDECREF(result);
    }

    PyObject* perform(std::uint64_t number, message_body&& request) {
        PyObject* const whole = load(std::move(request));
        if (whole == nullptr) return nullptr;
        PyObject *args, *kwargs, *function = nullptr;
        PyObject* result = nullptr;
        if (PyArg_ParseTuple(whole, "O!O|O", &PyTuple_Type, &args, &kwargs, &function) != 0 &&
            (function != nullptr || find(number, function)))
            result = PyObject_Call(function, args, kwargs == Py_None ? nullptr : kwargs);
        Py_DECREF(whole);
        return result;
    }

    // Unpickled at its first call, so that what it raises is that call's.
    bool find(std::uint64_t number, PyObject*& function) {
        if (const auto found = loaded_.find(number); found != loaded_.end()) {
            function = found->second.ptr();
            return true;
        }
        const auto bytes = functions_.find(number);
        if (bytes == functions_.end()) {
            PyErr_SetString(PyExc_SystemError, "the pool calls a function that it never sent");
            return false;
        }
        message_body copy;
        copy.bytes = bytes->second.bytes;
        PyObject* const made = load(std::move(copy));
        if (made == nullptr) return false;
        loaded_[number] = py::reinterpret_steal<py::object>(made);
        functions_.erase(number);
        function = made;
        return true;
    }

    bool pack(PyObject* result, message_body& out, late_copy& later) {
        PyObject* const wrapped = wrap_large(result);
        const bool good = wrapped != nullptr && dump(wrapped, slabs_, out, later);
        Py_XDECREF(wrapped);
        if (!good) out = {};
        return good;
    }

    void pack_raised(message_body& out, late_copy& later) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyErr_NormalizeException(&type, &value, &trace);
        if (trace != nullptr) PyException_SetTraceback(value, trace);
        PyObject* const packed = PyObject_CallOneArg(pack_error_.ptr(), value);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
        const bool good = packed != nullptr && dump(packed, slabs_, out, later);
        Py_XDECREF(packed);
        if (!good) throw py::error_already_set();  // pack_error() promised otherwise
    }

    void send(frame_kind kind, std::uint64_t id, const message_body& body) {
        worker_->answer(kind, id, body);
        if (worker_->written(ns{0})) return;
        const py::gil_scoped_release nogil;
        while (!worker_->written(slice)) {
        }
    }

    std::unique_ptr<process_worker> worker_;
    const py::object set_up_, pack_error_;
    slab_source slabs_;
    std::unordered_map<std::uint64_t, message_body> functions_;  // as they came
    std::unordered_map<std::uint64_t, py::object> loaded_;
};

void serve(int channel, int claims, py::object set_up, py::object pack_error) {
    auto worker = process_worker::attach(channel, claims);
    if (!worker)
        throw failure_error(failure::of(errc::invalid_argument,
                                        "not started by a ProcessExecutor: these are no descriptors of a pool"));
    place_received_bytes();
    serving(std::move(worker), std::move(set_up), std::move(pack_error)).run();
}

}  // namespace

void register_serve(py::module_& m) {
    m.def("serve", &serve, py::arg("channel"), py::arg("claims"), py::arg("set_up"), py::arg("pack_error"),
          "The loop of a worker process.");
}

}  // namespace headrace::bindings
