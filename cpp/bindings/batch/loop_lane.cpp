#include "loop_lane.hpp"

#include "../bridge/asyncio_names.hpp"
#include "../bridge/loop_port.hpp"
#include "../errors.hpp"
#include "function.hpp"
#include "results.hpp"

namespace headrace::bindings {
namespace {

// What a task, or the bell, calls when it is done.
struct lane_callback {
    PyObject_HEAD std::shared_ptr<loop_lane> lane;
    batch_core* core;            // kept while the batch runs; null: the bell's
    batch::batch_handle handle;  // empty: the bell's
};
PyTypeObject* callback_type = nullptr;

PyObject* call(PyObject* self, PyObject* args, PyObject*) {
    auto* callback = reinterpret_cast<lane_callback*>(self);
    if (callback->handle) {
        PyObject* const task = PyTuple_GET_ITEM(args, 0);
        if (PyObject* loop = bridge::running_loop()) bridge::let_go_of_task(loop, task);
        callback->lane->finish(std::move(callback->handle), task);
    } else {
        callback->lane->start_far();
    }
    // This is the top of the loop: what was completed is delivered here, without another turn.
    if (PyObject* loop = bridge::running_loop()) {
        auto* port = bridge::port_of(loop);
        return port == nullptr ? nullptr : PyObject_CallNoArgs(reinterpret_cast<PyObject*>(port));
    }
    Py_RETURN_NONE;
}

// A task that will never end, because its loop is gone.
void dealloc(PyObject* self) {
    auto* callback = reinterpret_cast<lane_callback*>(self);
    PyTypeObject* type = Py_TYPE(self);
    if (callback->handle) {
        const auto why = failure::of(errc::cancelled, "the event loop of the batch ended");
        fail_all(callback->handle.items(), why);
        callback->handle.complete();
    }
    callback->handle.~batch_handle();
    callback->lane.~shared_ptr();
    if (callback->core != nullptr) callback->core->release();
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* make_callback(std::shared_ptr<loop_lane> lane, batch::batch_handle&& handle) {
    auto* made = PyObject_New(lane_callback, callback_type);
    if (made == nullptr) return nullptr;
    new (&made->lane) std::shared_ptr<loop_lane>(std::move(lane));
    made->core = handle ? made->lane->core() : nullptr;
    if (made->core != nullptr) made->core->retain();
    new (&made->handle) batch::batch_handle(std::move(handle));
    return reinterpret_cast<PyObject*>(made);
}

PyType_Slot slots[] = {
    {Py_tp_call, reinterpret_cast<void*>(call)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {0, nullptr},
};
PyType_Spec spec = {"headrace._core.batch.LaneCallback", sizeof(lane_callback), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

// What the loop's thread completes from here on does not wake it: its port is called at the end.
void disarm(PyObject* loop) {
    auto* port = bridge::port_of(loop);
    if (port == nullptr) {
        PyErr_Clear();
        return;
    }
    if (port->backlog == nullptr) port->backlog = port->queue->take();
}

}  // namespace

thread_local loop_lane* loop_lane::inside = nullptr;

class loop_lane::function final : public request_function {
public:
    explicit function(std::weak_ptr<loop_lane> lane) noexcept : lane_(std::move(lane)) {}
    bool is_async() const noexcept override { return true; }
    void run(std::span<batch::item* const>) override {}
    void start(batch::batch_handle&& handle) override {
        if (const auto lane = lane_.lock()) lane->start(std::move(handle));
    }

private:
    const std::weak_ptr<loop_lane> lane_;
};

class loop_lane::bell final : public bridge::pending_result {
public:
    explicit bell(std::weak_ptr<loop_lane> lane) noexcept : lane_(std::move(lane)) {}
    _object* to_python() override { return Py_NewRef(Py_None); }
    void on_cancel() noexcept override {
        if (const auto lane = lane_.lock()) lane->loop_is_gone();
    }

private:
    const std::weak_ptr<loop_lane> lane_;
};

std::shared_ptr<loop_lane> loop_lane::make(batch_core& core, PyObject* loop) {
    std::shared_ptr<loop_lane> lane(new loop_lane(core, loop));
    lane->engine_ = graph_engine(core.options(), std::make_shared<function>(lane));
    return lane->hang_bell() ? lane : nullptr;
}

loop_lane::~loop_lane() {
    silence();
}

bool loop_lane::hang_bell() {
    auto* made = new bell(weak_from_this());
    PyObject* future = bridge::make_future(made);
    if (future == nullptr) return false;
    PyObject* callback = make_callback(shared_from_this(), {});
    PyObject* done = callback == nullptr ? nullptr : PyObject_CallMethod(future, "add_done_callback", "O", callback);
    Py_XDECREF(callback);
    Py_DECREF(future);
    if (done == nullptr) {
        bridge::pending_result::finish(*made);
        return false;
    }
    Py_DECREF(done);
    const lock_guard hold(mutex_);
    bell_ = made;
    return true;
}

void loop_lane::leave_core() noexcept {
    core_ = nullptr;
    silence();
}

void loop_lane::silence() noexcept {
    bell* last = nullptr;
    {
        const lock_guard hold(mutex_);
        gone_ = true;
        last = std::exchange(bell_, nullptr);
    }
    if (last != nullptr) bridge::pending_result::finish(*last);
}

void loop_lane::shutdown(stop_mode mode, std::function<void()> stopped) {
    engine().shutdown(mode, std::move(stopped));
}

void loop_lane::start(batch::batch_handle&& handle) {
    if (inside == this) {
        ready_.push_back(std::move(handle));
        return;
    }
    bell* ring = nullptr;
    {
        const lock_guard hold(mutex_);
        if (gone_) return;  // the handle fails its items
        far_.push_back(std::move(handle));
        ring = std::exchange(bell_, nullptr);
    }
    if (ring != nullptr) bridge::pending_result::finish(*ring);
}

void loop_lane::start_far() {
    if (core_ == nullptr) return;
    if (!hang_bell()) PyErr_Clear();
    std::vector<batch::batch_handle> some;
    {
        const lock_guard hold(mutex_);
        if (gone_) return;
        some.swap(far_);
    }
    for (auto& handle : some) ready_.push_back(std::move(handle));
    run_ready();
}

void loop_lane::run_ready() {
    if (starting_) return;  // the one below goes on
    starting_ = true;
    while (!ready_.empty()) {
        std::vector<batch::batch_handle> some;
        some.swap(ready_);
        for (auto& handle : some) begin(std::move(handle));
    }
    starting_ = false;
}

// A task of the running loop; whatever goes wrong on the way is the batch's error.
void loop_lane::begin(batch::batch_handle&& handle) {
    const auto items = handle.items();
    PyObject* loop = bridge::running_loop();
    PyObject* list = arguments_of(items);
    PyObject* awaitable = list == nullptr ? nullptr : PyObject_CallOneArg(core_->function(), list);
    Py_XDECREF(list);
    PyObject* task = nullptr;
    if (awaitable != nullptr && loop != nullptr) task = PyObject_CallMethod(loop, "create_task", "O", awaitable);
    Py_XDECREF(awaitable);
    if (task == nullptr) {
        settle(std::move(handle), give_results(*core_, items, nullptr));
        return;
    }
    PyObject* callback = make_callback(shared_from_this(), std::move(handle));
    PyObject* done = callback == nullptr ? nullptr : PyObject_CallMethod(task, "add_done_callback", "O", callback);
    if (done == nullptr) {
        PyErr_Clear();
    } else {
        bridge::hold_task(loop, task);
    }
    Py_XDECREF(done);
    Py_XDECREF(callback);
    Py_DECREF(task);
}

void loop_lane::settle(batch::batch_handle&& handle, bool good) {
    inside_engine([&] {
        if (good) {
            handle.complete();
            return;
        }
        handle.fail(std::make_exception_ptr(failure_error(failure::of(errc::cancelled, "the batch function failed"))));
    });
}

void loop_lane::finish(batch::batch_handle&& handle, PyObject* task) {
    if (PyObject* loop = bridge::running_loop()) disarm(loop);
    const bool good = give_results(*core_, handle.items(), PyObject_CallMethod(task, "result", nullptr));
    settle(std::move(handle), good);
}

void loop_lane::loop_is_gone() noexcept {
    const auto self = shared_from_this();
    std::vector<batch::batch_handle> some;
    {
        const lock_guard hold(mutex_);
        gone_ = true;
        if (bell_ != nullptr) bridge::pending_result::finish(*std::exchange(bell_, nullptr));
        some.swap(far_);
    }
    engine().shutdown(stop_mode::cancel);
    if (core_ != nullptr) core_->forget(*this);
}

bool register_loop_lane() {
    callback_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    return callback_type != nullptr;
}

}  // namespace headrace::bindings
