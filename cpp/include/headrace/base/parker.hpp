// Where one thread sleeps until another wakes it. A wake that comes first is kept, several count as one.
// Threads:  park() by the owner only; unpark() from any thread.
// Lifetime: must outlive an unpark() that is under way.   Errors: none.
#pragma once

#include <atomic>
#include <cstdint>

namespace headrace {

class parker {
public:
    void park() noexcept;
    void unpark() noexcept;

private:
    std::atomic<std::uint32_t> woken_{0};
};

/// A hint to the core that this is a loop of a thread that looks for work.
inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace headrace
