// A word shared by a pool and one worker that decides, call by call, whether it has begun.
//
// Calls are sent ahead of their time. Before a worker begins one it claims it here; the pool can take back what has not
// been claimed, and knows after a worker's death exactly which calls had begun. The word holds an epoch, which calls carry,
// and how many calls were ever claimed: taking back raises the epoch, and the worker passes over what carries an older one.
// Threads:  claim() by the worker's loop; revoke() and begun() by the pool, from any thread.
// Lifetime: the page lives while either end maps it.   Errors: make() and attach() give null.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace headrace::exec {

class claim_page {
public:
    static std::unique_ptr<claim_page> make();
    /// The worker's end. Takes the descriptor over.
    static std::unique_ptr<claim_page> attach(int fd);
    ~claim_page();
    claim_page(const claim_page&) = delete;
    claim_page& operator=(const claim_page&) = delete;

    /// -1 once it was given to the worker.
    int fd() const noexcept { return fd_; }
    void close_fd() noexcept;

    /// True: the worker runs the call. False: it was taken back, and will never be answered.
    bool claim(std::uint32_t epoch) noexcept;
    /// From now on nothing of the present epoch begins. How many calls have ever begun.
    std::uint32_t revoke() noexcept;
    std::uint32_t epoch() const noexcept;

private:
    using word = std::atomic<std::uint64_t>;  // epoch << 32 | begun
    static_assert(word::is_always_lock_free);
    claim_page(int fd, word* shared) noexcept : fd_(fd), shared_(shared) {}
    static std::unique_ptr<claim_page> map(int fd);
    int fd_;
    word* shared_;
};

}  // namespace headrace::exec
