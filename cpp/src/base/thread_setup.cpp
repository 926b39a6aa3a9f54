#include <headrace/base/thread_setup.hpp>

#include <pthread.h>

#include <csignal>
#include <cstring>
#include <headrace/base/sleep.hpp>

namespace headrace {

void set_up_thread(const std::string& name) noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    char short_name[16] = {};
    std::memcpy(short_name, name.data(), name.size() < 15 ? name.size() : 15);
    pthread_setname_np(pthread_self(), short_name);
    use_exact_timers();
}

}  // namespace headrace
