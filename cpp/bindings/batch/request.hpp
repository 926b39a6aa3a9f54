// One call of a batcher on its way through the engine and back to Python: the engine's item and the bridge's result in one
// object, so that a call costs one allocation beside its Future.
//
// Threads:  made and destroyed with the GIL. Whoever runs the batch sets the outcome before the engine decides the item;
//           afterwards it does not change.
// Lifetime: counted, see bridge/completion.hpp. The engine's reference goes when it delivers, or when its batch lets go of
//           an item that was delivered early. A request that shared another's call keeps that one alive.
// Errors:   to_python() raises what the item came to: the engine's word, else the function's.
#pragma once

#include <Python.h>

#include <headrace/batch/engine.hpp>
#include <memory>

#include "../bridge/completion.hpp"
#include "../graph/current.hpp"

namespace headrace::bindings {

class batch_core;
class gathering;
struct interned_key;

class request : public batch::item, public bridge::pending_result {
public:
    /// Keeps `core` alive, and the argument.
    request(batch_core& core, PyObject* argument) noexcept;
    ~request() override;

    PyObject* argument() const noexcept { return argument_; }
    batch_core& core() const noexcept { return core_; }

    /// By a Python function, with the GIL: a result, or an exception object. Steals the reference.
    void set_result(PyObject* value) noexcept { outcome_ = value; }
    void set_exception(PyObject* error) noexcept {
        outcome_ = error;
        raised_ = true;
    }
    /// By native code, without it.
    void set_failure(failure why) { failure_ = std::make_unique<failure>(std::move(why)); }
    /// The result came from the cache and needs not go there.
    void answered_from_cache() noexcept { cached_ = true; }
    /// This one shared the call of another: what that one came to is its own.
    void share(request& leader) noexcept;

    bool has_outcome() const noexcept { return outcome_ != nullptr || failure_ != nullptr; }
    bool has_failed() const noexcept {
        return leader_ != nullptr ? leader_->has_failed() : raised_ || failure_ != nullptr;
    }

    batch::item*& next_item() noexcept { return item::next; }

    // Of a map: its requests come back to it and not to a Future.
    void join(gathering& g) noexcept { gathering_ = &g; }
    gathering* joined() const noexcept { return gathering_; }

    /// Where it was submitted; null until then.
    batch::engine* engine = nullptr;

    /// Of the unit of a graph that made the call; empty elsewhere.
    unit_hold hold;

    /// Equal keys share one call. The core's; null: no key.
    interned_key* name = nullptr;

    _object* to_python() override;
    void on_cancel() noexcept override;

protected:
    /// The result of a native function, with the GIL; only called when no failure was set.
    virtual PyObject* native_result();

private:
    PyObject* value();

    batch_core& core_;
    PyObject* const argument_;
    PyObject* outcome_ = nullptr;
    request* leader_ = nullptr;
    gathering* gathering_ = nullptr;
    std::unique_ptr<failure> failure_;
    bool raised_ = false;
    bool cached_ = false;
};

/// Where the engine brings decided requests of every batcher: on to the bridge, one hand-over per event loop.
batch::sink& request_sink() noexcept;

}  // namespace headrace::bindings
