#include <headrace/base/sleep.hpp>

#include <sys/prctl.h>

#include <cerrno>
#include <ctime>

namespace headrace {

void sleep_until(ns moment) noexcept {
    const auto whole = std::chrono::floor<std::chrono::seconds>(moment);
    timespec t{};
    t.tv_sec = static_cast<std::time_t>(whole.count());
    t.tv_nsec = static_cast<long>((moment - whole).count());
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr) == EINTR) {
    }
}

void use_exact_timers() noexcept {
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

}  // namespace headrace
