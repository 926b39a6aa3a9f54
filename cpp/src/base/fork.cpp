#include <headrace/base/fork.hpp>

#include <pthread.h>

#include <atomic>

namespace headrace {
namespace {

std::atomic<std::uint32_t> generation{0};

extern "C" void headrace_count_fork() {
    generation.fetch_add(1, std::memory_order_relaxed);
}

// Counting starts when the library is loaded, so no first call can come too late.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, headrace_count_fork);

}  // namespace

std::uint32_t fork_generation() noexcept {
    return generation.load(std::memory_order_relaxed);
}

}  // namespace headrace
