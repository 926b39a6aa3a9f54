#include "batch_bench_asio.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <headrace/batch/batcher.hpp>
#include <thread>

namespace headrace::bench {
namespace {

constexpr int in_flight = 1024;

/// Submits again whenever a call completes, until the time is over.
struct caller {
    batch::batcher<int, int>& to;
    bool ended = false;
    std::uint64_t done = 0;

    void call(int request) {
        to.async_submit(request, [this](const std::exception_ptr&, int result) {
            ++done;
            if (!ended) call(result + 1);
        });
    }
};

}  // namespace

double asio_pipelined(ns duration) {
    boost::asio::io_context io(1);
    const auto pool = std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1});
    batch::batcher<int, int> identity(
        io.get_executor(),
        [](batch::batch_view<int, int> items) {
            for (auto& it : items) it.set(it.request);
        },
        {{.max_batch_size = 1000, .max_queue_size = 1'000'000, .spin = std::chrono::microseconds{20}}}, pool);
    const ns start = monotonic_now();
    caller c{identity};
    for (int i = 0; i < in_flight; ++i) c.call(i);
    while (monotonic_now() < start + duration && io.run_one() != 0) {
    }
    const double rate = static_cast<double>(c.done) * 1e9 / static_cast<double>((monotonic_now() - start).count());
    c.ended = true;
    io.run();
    return rate;
}

}  // namespace headrace::bench
