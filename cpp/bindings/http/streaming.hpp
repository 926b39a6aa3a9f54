// Streamed answers: what an iterator yields goes to the client as it comes, and waits while the client does not read.
// Threads:  with the GIL. stream_here() waits in this thread, without the GIL; stream_later() never waits: it goes on in the
//           I/O thread when there is room.
// Errors:   what the iterator raises is logged, and the connection ends, so that the client can tell.
#pragma once

#include <headrace/http/route.hpp>

#include "answer.hpp"

namespace headrace::bindings {

/// False: the iterator raised. True also when the client has left.
bool stream_here(http::route_job& job, answer a);
/// `ended` is called once, on the thread that saw the end: false when the iterator raised.
void stream_later(net::http::pending client, const std::string& route, answer a, std::function<void(bool)> ended);

}  // namespace headrace::bindings
