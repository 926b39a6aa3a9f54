// The acknowledgement of one message as a headrace.Future: an Ack, or the refusal raised.
#pragma once

#include <pybind11/gil_safe_call_once.h>

#include <headrace/mq/producer.hpp>

#include "bridge/future.hpp"
#include "errors.hpp"

namespace headrace::bindings {

class ack_result final : public bridge::pending_result, public mq::ack_sink {
public:
    void acknowledged(mq::acknowledgement a) noexcept override { ack_ = std::move(a); }

    void hand_over() noexcept override {
        pending_result* first = this;
        auto* last = first;
        for (auto* sink = next_acked; sink != nullptr; sink = static_cast<ack_result*>(sink)->next_acked) {
            last = last->next = static_cast<ack_result*>(sink);
        }
        last->next = nullptr;
        finish_chain(first);
    }

    PyObject* to_python() override {
        namespace py = pybind11;
        try {
            if (ack_.error) {
                auto error = py::reinterpret_steal<py::object>(static_cast<PyObject*>(make_exception(ack_.error)));
                PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
                return nullptr;
            }
            return ack_class()(ack_.id, ack_.sent.count(), ack_.acked.count(), py::none()).release().ptr();
        } catch (py::error_already_set& e) {
            e.restore();
        } catch (const std::exception& e) {
            PyErr_SetString(PyExc_RuntimeError, e.what());
        }
        return nullptr;
    }

private:
    static const pybind11::object& ack_class() {
        PYBIND11_CONSTINIT static pybind11::gil_safe_call_once_and_store<pybind11::object> storage;
        return storage
            .call_once_and_store_result([] { return pybind11::module_::import("headrace.mq.producer").attr("Ack"); })
            .get_stored();
    }

    mq::acknowledgement ack_;
};

}  // namespace headrace::bindings
