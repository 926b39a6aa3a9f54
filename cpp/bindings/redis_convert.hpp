// Commands and replies of headrace.redis between Python and bytes.
// Threads:  with the GIL.
// Errors:   as Python exceptions: TypeError for an argument that Redis cannot take, InvalidArgument for no command.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/redis/value.hpp>
#include <string>
#include <vector>

namespace headrace::bindings {

namespace py = pybind11;

/// One command as bytes. `args` is a sequence of bytes, str, int, float or buffers.
std::string format_redis(const py::sequence& args);

/// status -> str, string -> bytes, integer -> int, nil -> None, array -> list, error -> a ServerError object.
py::object redis_value(const redis::value& v);

}  // namespace headrace::bindings
