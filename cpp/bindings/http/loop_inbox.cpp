#include "loop_inbox.hpp"

#include "../bridge/asyncio_names.hpp"
#include "../bridge/loop_port.hpp"
#include "loop_worker.hpp"

namespace headrace::bindings {

class loop_inbox::cancel_errand final : public bridge::pending_result {
public:
    explicit cancel_errand(loop_job& job) noexcept : pending_result(destruction::with_gil, role::errand), job_(job) {
        job_.keep();
    }
    PyObject* to_python() override { return nullptr; }
    int run(bool) override {
        PyObject* task = job_.worker == nullptr ? nullptr : job_.worker->task;
        if (task == nullptr) return 0;
        Py_INCREF(task);
        PyObject* done = PyObject_CallMethod(task, "cancel", nullptr);
        if (done == nullptr) PyErr_WriteUnraisable(task);
        Py_XDECREF(done);
        Py_DECREF(task);
        return 0;
    }

private:
    ~cancel_errand() override { job_.release_with_gil(); }
    loop_job& job_;
};

loop_inbox::loop_inbox(bridge::completion_queue* queue) noexcept : queue_(queue), process_(bridge::this_process()) {}

loop_inbox::~loop_inbox() {
    if (side_ != nullptr && process_ == bridge::this_process()) bridge::pending_result::finish(*side_);
}

std::shared_ptr<loop_inbox> loop_inbox::make() {
    PyObject* loop = bridge::running_loop();
    if (loop == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "no event loop runs in this thread");
        return nullptr;
    }
    auto* port = bridge::port_of(loop);
    PyObject* context = port == nullptr ? nullptr : PyContext_CopyCurrent();
    if (context == nullptr) return nullptr;
    std::shared_ptr<loop_inbox> made(new loop_inbox(port->queue));
    auto* side = new loop_side(made, loop, context);
    side->bind(*port->queue);
    made->side_ = side;
    return made;
}

bool loop_inbox::post_errand(bridge::pending_result& errand) noexcept {
    return process_ == bridge::this_process() && queue_->push(&errand, &errand);
}

bool loop_inbox::post(loop_job& job) noexcept {
    job.inbox_ = shared_from_this();
    if (post_errand(job)) return true;
    job.inbox_.reset();
    return false;
}

void loop_inbox::cancel(loop_job& job) noexcept {
    auto* errand = new cancel_errand(job);
    // Refused: the loop is gone, and so is the task. Not freed here, for that takes the GIL.
    if (!post_errand(*errand)) errand->release();
}

int loop_job::run(bool nested) {
    auto inbox = std::exchange(inbox_, nullptr);
    auto& side = inbox->side();
    if (!side.idle.empty()) {
        auto* const free = side.idle.back();
        side.idle.pop_back();
        free->take(*this, std::move(inbox));
        const int result = free->wake(nested);
        Py_DECREF(reinterpret_cast<PyObject*>(free));
        return result;
    }
    if (loop_worker::make_for(*this, side, std::move(inbox)) == 0) return 0;
    const bool leaves = PyErr_ExceptionMatches(PyExc_Exception) == 0;
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    PyErr_Restore(Py_XNewRef(kind), Py_XNewRef(value), Py_XNewRef(trace));
    done(nullptr);
    PyErr_Clear();
    if (!leaves) {
        PyErr_Restore(kind, value, trace);
        return -1;
    }
    Py_XDECREF(kind);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return 0;
}

}  // namespace headrace::bindings
