// The process's default pool.
#include <algorithm>
#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/exec/thread_pool.hpp>

namespace headrace::exec {
namespace {

mutex shared_mutex;
std::shared_ptr<thread_pool> shared_pool HEADRACE_GUARDED_BY(shared_mutex);
std::uint32_t shared_generation HEADRACE_GUARDED_BY(shared_mutex) = 0;

}  // namespace

std::shared_ptr<thread_pool> thread_pool::shared() {
    const lock_guard hold(shared_mutex);
    if (!shared_pool || shared_generation != fork_generation()) {
        shared_pool = std::make_shared<thread_pool>(thread_pool_options{
            .threads = std::min<std::size_t>(32, usable_cores() + 4), .spin = ns{0}, .name = "headrace-pool"});
        shared_generation = fork_generation();
    }
    return shared_pool;
}

bool thread_pool::stop_shared(ns timeout) {
    std::shared_ptr<thread_pool> last;
    {
        const lock_guard hold(shared_mutex);
        last = shared_pool;
    }
    if (!last) return true;
    if (!last->shutdown(stop_mode::cancel, timeout)) return false;
    const lock_guard hold(shared_mutex);
    if (shared_pool == last) shared_pool.reset();
    return true;
}

}  // namespace headrace::exec
