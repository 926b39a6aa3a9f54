#include "batch_bench_asio.hpp"
namespace headrace::bench {
double asio_pipelined(ns) {
    return 1;
}
}  // namespace headrace::bench
