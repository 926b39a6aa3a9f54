// headrace._core.redis.Client: one native client, for threads (run) and for event loops (start).
// Threads:  with the GIL.   Lifetime: borrows the runtime; futures outlive their client.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/redis/client.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headrace::bindings {

namespace py = pybind11;

/// Requests that are started during one tick of an event loop leave together at its end: one lock, one wake.
class redis_starter {
public:
    explicit redis_starter(std::shared_ptr<redis::client> native) : native_(std::move(native)) {}

    /// A headrace.Future of the reply; an error reply is raised as ServerError.
    py::object start(const std::shared_ptr<redis_starter>& self, const py::sequence& command, double timeout);
    /// A headrace.Future of the replies; an error reply is a ServerError among them.
    py::object start_many(const std::shared_ptr<redis_starter>& self, const std::vector<py::sequence>& commands,
                          double timeout);

private:
    class burst;
    void add(const std::shared_ptr<redis_starter>& self, redis::request request);

    const std::shared_ptr<redis::client> native_;
    burst* open_ = nullptr;        // takes what is started in ...
    PyObject* open_in_ = nullptr;  // ... this loop, which is running
};

}  // namespace headrace::bindings
