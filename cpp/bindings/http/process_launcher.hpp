// Jobs of one Python route in the worker processes of its app.
//
// The request is written as a pickle without the interpreter, and so is the answer read: between the client and the worker
// no thread of this process takes the GIL. What a worker raised is logged here, by a thread that may.
// Threads:  launch() and stop() from any.
// Lifetime: holds the executor, and lets go of it on a thread that may wait for its workers.
// Errors:   launch() answers the pool's failures. A worker that ends: 502. One that is stopped at the deadline: 504.
// Stop:     the executor's shutdown().
#pragma once

#include <headrace/exec/process_pool.hpp>
#include <headrace/http/route.hpp>

#include "../exec/pickling.hpp"
#include "held_object.hpp"

namespace headrace::bindings {

class process_launcher final : public http::launcher {
public:
    /// `call` and `work`: pickled callables, of (head, body) and of (work); they answer what answer_wire reads.
    process_launcher(held_object executor, exec::process_pool& pool, std::string call, std::string work);
    ~process_launcher() override;

    failure launch(const std::shared_ptr<http::route_job>& job) override;
    void stop(http::route_job& job) noexcept override;

private:
    class task;
    held_object executor_;
    exec::process_pool& pool_;
    slab_source slabs_;
    const std::shared_ptr<const exec::process_function> call_, work_;
};

}  // namespace headrace::bindings
