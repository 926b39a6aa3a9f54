// Jobs of Python routes as tasks of an asyncio loop.
// Threads:  launch() and stop() from any, without the GIL.   Lifetime: the inbox may outlive its loop.
// Errors:   launch() answers closed when the loop has ended.
// Stop:     the loop's end cancels what runs; it is answered 503.
#pragma once

#include <headrace/http/route.hpp>
#include <memory>

#include "loop_inbox.hpp"

namespace headrace::bindings {

class loop_launcher final : public http::launcher {
public:
    explicit loop_launcher(std::shared_ptr<loop_inbox> inbox) : inbox_(std::move(inbox)) {}

    failure launch(const std::shared_ptr<http::route_job>& job) override;
    void stop(http::route_job& job) noexcept override;

private:
    class run;
    class streaming;
    struct control;
    const std::shared_ptr<loop_inbox> inbox_;
};

/// Adds the stream that coroutines write to. Throws Python errors.
void register_loop_stream(pybind11::module_& m);

}  // namespace headrace::bindings
