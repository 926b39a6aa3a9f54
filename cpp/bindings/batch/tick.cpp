#include "tick.hpp"

#include <algorithm>
#include <vector>

#include "../bridge/asyncio_names.hpp"
#include "../bridge/loop_port.hpp"
#include "core.hpp"

namespace headrace::bindings {
namespace {

class tick;
thread_local std::vector<tick*> open_ticks;  // one per batcher and loop that were called in this turn; mostly one

class tick final : public bridge::tick_end {
public:
    tick(batch_core& core, PyObject* loop) noexcept : core_(core), loop_(loop) { core_.retain(); }

    bool is_of(const batch_core& core, PyObject* loop) const noexcept { return &core_ == &core && loop_ == loop; }

    void add(request* first, request* last) noexcept {
        static_cast<batch::item*>(last)->next = nullptr;
        if (last_ != nullptr) {
            static_cast<batch::item*>(last_)->next = first;
        } else {
            first_ = first;
        }
        last_ = last;
    }

    void run() noexcept override {
        open_ticks.erase(std::find(open_ticks.begin(), open_ticks.end(), this));
        core_.flush_tick(loop_, first_);
        core_.release();
        delete this;
    }

private:
    ~tick() = default;
    batch_core& core_;
    PyObject* loop_;
    request* first_ = nullptr;
    request* last_ = nullptr;
};

}  // namespace

PyObject* current_loop() noexcept {
    PyObject* loop = bridge::loop_being_drained();
    return loop != nullptr ? loop : bridge::running_loop();
}

bool add_to_tick(batch_core& core, PyObject* loop, request* first, request* last) {
    for (auto* open : open_ticks) {
        if (!open->is_of(core, loop)) continue;
        open->add(first, last);
        return true;
    }
    auto* made = new tick(core, loop);
    open_ticks.push_back(made);
    if (bridge::at_tick_end(*made)) {
        made->add(first, last);
        return true;
    }
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_RuntimeError, "the event loop has stopped");
    made->run();  // with nothing in it
    return false;
}

}  // namespace headrace::bindings
