// A streamed answer as coroutines write it: write() takes a piece or says that there is no room, room() is awaited then.
// Threads:  with the GIL.
// Lifetime: the object owns the stream; abandoned unfinished, the connection ends.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/net/http_server.hpp>
#include <optional>

namespace headrace::bindings {

/// A new reference; null with an error set. Without a stream the client has left.
PyObject* make_loop_stream(std::optional<net::http::body_stream> out);

}  // namespace headrace::bindings
