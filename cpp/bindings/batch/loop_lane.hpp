// An async function on one event loop: an engine whose batches are tasks of that loop.
//
// Batches that form while the loop's thread submits or completes are started there and then. Those that form on another
// thread (the window's timer, a token, a deadline) wait in `far_`, and a bell, itself a result of the bridge, tells the loop.
// The bell also says when the loop is gone: the bridge cancels it.
// Threads:  with the GIL on the loop's thread; start_far() from any thread without it.
// Lifetime: shared by the core, and by the calls that run, which keep the core as well. Holds no Python object: its end may
//           come on any thread.
// Errors:   see results.hpp; a function that gives no awaitable fails its batch.
// Stop:     loop_is_gone(): what waits and what runs is cancelled.
#pragma once

#include <headrace/base/mutex.hpp>
#include <headrace/batch/engine.hpp>
#include <memory>
#include <vector>

#include "core.hpp"

namespace headrace::bindings {

class loop_lane : public std::enable_shared_from_this<loop_lane> {
public:
    /// For the running loop; null with an error set.
    static std::shared_ptr<loop_lane> make(batch_core& core, PyObject* loop);
    ~loop_lane();

    bool serves(PyObject* loop) const noexcept { return loop_ == loop; }
    batch::engine& engine() noexcept { return *engine_.engine; }
    const graph_engine& place() const noexcept { return engine_; }

    /// Calls f() on the loop's thread; batches that form are started when it returns.
    template <class F>
    void inside_engine(F&& f) {
        auto* const outer = std::exchange(inside, this);
        f();
        inside = outer;
        run_ready();
    }
    void shutdown(stop_mode mode, std::function<void()> stopped);
    /// The task of a batch has ended.
    void finish(batch::batch_handle&& handle, PyObject* task);
    void start(batch::batch_handle&& handle);
    void loop_is_gone() noexcept;
    /// The bell was heard.
    void start_far();
    /// The batcher is gone, and with it every item.
    void leave_core() noexcept;
    batch_core* core() const noexcept { return core_; }

private:
    /// The lane for which this thread is inside its engine, with the GIL and on the loop's thread.
    static thread_local loop_lane* inside;

    class function;
    class bell;
    loop_lane(batch_core& core, PyObject* loop) noexcept : core_(&core), loop_(loop) {}
    void silence() noexcept;
    bool hang_bell();
    void run_ready();
    void begin(batch::batch_handle&& handle);
    void settle(batch::batch_handle&& handle, bool good);

    batch_core* core_;  // null when it is gone; with the GIL
    PyObject* loop_;    // compared, never used
    graph_engine engine_;
    std::vector<batch::batch_handle> ready_;  // the loop's thread, like the next one
    bool starting_ = false;
    mutex mutex_;
    std::vector<batch::batch_handle> far_ HEADRACE_GUARDED_BY(mutex_);
    bell* bell_ HEADRACE_GUARDED_BY(mutex_) = nullptr;
    bool gone_ HEADRACE_GUARDED_BY(mutex_) = false;
};

/// The types that the loop calls back.
bool register_loop_lane();

}  // namespace headrace::bindings
