// The Asio case of batch_bench: its headers are heavy, so it is compiled apart.
#pragma once

#include <headrace/base/clock.hpp>

namespace headrace::bench {

/// Items a second through batcher<int, int> with callbacks on one io_context.
double asio_pipelined(ns duration);

}  // namespace headrace::bench
