#include <headrace/exec/settled_word.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

namespace headrace::exec {

void settled_word::settle() noexcept {
    // Whoever sees `done` may free it: the address is only a key for the kernel afterwards.
    if (word_.exchange(done, std::memory_order_acq_rel) == awaited)
        ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void settled_word::sleep(ns timeout) noexcept {
    std::uint32_t seen = pending;
    word_.compare_exchange_strong(seen, awaited, std::memory_order_acq_rel);
    if (seen == done) return;
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec span{whole.count(), static_cast<long>((timeout - whole).count())};
    ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, awaited, &span, nullptr, 0);
}

void settled_word::nudge() noexcept {
    std::uint32_t seen = awaited;
    // Back to pending, so that one who is about to sleep does not.
    if (word_.compare_exchange_strong(seen, pending, std::memory_order_acq_rel))
        ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace headrace::exec
