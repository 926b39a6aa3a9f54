// headrace._core.http.LoopInbox: a loop_inbox as Python sees it, and functions sent to a loop from any thread.
#include "loop_object.hpp"

#include <utility>

#include "../bridge/future.hpp"
#include "../python_error.hpp"
#include "loop_worker.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

class call_job;

// What the caller's Future waits for.
class call_result final : public bridge::pending_result {
public:
    call_result(call_job& job, std::shared_ptr<loop_inbox> inbox) noexcept;
    PyObject* to_python() override {
        return value != nullptr ? std::exchange(value, nullptr) : raise_stolen(std::exchange(error, nullptr));
    }
    void on_cancel() noexcept override;

    PyObject* value = nullptr;
    PyObject* error = nullptr;

private:
    ~call_result() override;
    call_job& job_;
    const std::shared_ptr<loop_inbox> inbox_;
};

class call_job final : public loop_job {
public:
    call_job(PyObject* function, PyObject* arguments) noexcept
        : function_(Py_NewRef(function)), arguments_(Py_NewRef(arguments)) {}
    PyObject* begin() override { return PyObject_Call(function_, arguments_, nullptr); }
    void done(PyObject* value) noexcept override {
        if (value != nullptr) {
            result->value = Py_NewRef(value);
        } else {
            result->error = take_error();
        }
        bridge::pending_result::finish(*result);
    }
    void on_cancel() noexcept override {
        raise(failure::of(errc::closed, "the event loop ended before the call began"));
        done(nullptr);
    }
    call_result* result = nullptr;

private:
    ~call_job() override {
        Py_DECREF(function_);
        Py_DECREF(arguments_);
    }
    PyObject* function_;
    PyObject* arguments_;
};

call_result::call_result(call_job& job, std::shared_ptr<loop_inbox> inbox) noexcept
    : pending_result(destruction::with_gil), job_(job), inbox_(std::move(inbox)) {
    job_.keep();
}
call_result::~call_result() {
    Py_XDECREF(value);
    Py_XDECREF(error);
    job_.release_with_gil();
}
void call_result::on_cancel() noexcept {
    inbox_->cancel(job_);
}

py::object submit(const inbox_object& self, const py::function& function, const py::args& arguments) {
    auto* const job = new call_job(function.ptr(), arguments.ptr());
    auto* const result = new call_result(*job, self.native);
    job->result = result;
    auto future = py::reinterpret_steal<py::object>(bridge::make_future(result));
    if (!future) {
        job->release_with_gil();
        throw py::error_already_set();
    }
    if (!self.native->post(*job)) {
        job->on_cancel();
        job->release_with_gil();
    }
    return future;
}

}  // namespace

inbox_object::inbox_object() : native(loop_inbox::make()) {
    if (native == nullptr) throw py::error_already_set();
}

void register_loop_inbox(py::module_& http) {
    if (!register_loop_worker()) throw py::error_already_set();
    py::classh<inbox_object>(http, "LoopInbox")
        .def(py::init<>())
        .def("submit", &submit, py::arg("function"))
        .def_property_readonly("closed", [](const inbox_object& self) { return self.native->closed(); });
}

}  // namespace headrace::bindings
