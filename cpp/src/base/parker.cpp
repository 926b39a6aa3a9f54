#include <headrace/base/parker.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace headrace {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
                  std::atomic<std::uint32_t>::is_always_lock_free,
              "a futex is a plain 32-bit word");

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) noexcept {
    ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

}  // namespace

void parker::park() noexcept {
    while (woken_.exchange(0, std::memory_order_acquire) == 0) futex(woken_, FUTEX_WAIT_PRIVATE, 0);
}

void parker::unpark() noexcept {
    if (woken_.exchange(1, std::memory_order_release) == 0) futex(woken_, FUTEX_WAKE_PRIVATE, 1);
}

}  // namespace headrace
