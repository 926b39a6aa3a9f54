#include <headrace/exec/claim_page.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

namespace headrace::exec {
namespace {

constexpr unsigned epoch_shift = 32;

}  // namespace

std::unique_ptr<claim_page> claim_page::map(int fd) {
    void* const base = ::mmap(nullptr, sizeof(word), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base != MAP_FAILED) return std::unique_ptr<claim_page>(new claim_page(fd, static_cast<word*>(base)));
    ::close(fd);
    return nullptr;
}

std::unique_ptr<claim_page> claim_page::make() {
    const int fd = ::memfd_create("headrace-claims", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return nullptr;
    if (::ftruncate(fd, sizeof(word)) != 0 || ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
        ::close(fd);
        return nullptr;
    }
    return map(fd);
}

std::unique_ptr<claim_page> claim_page::attach(int fd) {
    return map(fd);
}

claim_page::~claim_page() {
    ::munmap(shared_, sizeof(word));
    close_fd();
}

void claim_page::close_fd() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool claim_page::claim(std::uint32_t epoch) noexcept {
    std::uint64_t now = shared_->load(std::memory_order_acquire);
    while (now >> epoch_shift == epoch) {
        const std::uint64_t counted = (now & ~std::uint64_t{UINT32_MAX}) | static_cast<std::uint32_t>(now + 1);
        if (shared_->compare_exchange_weak(now, counted, std::memory_order_acq_rel)) return true;
    }
    return false;
}

std::uint32_t claim_page::revoke() noexcept {
    const std::uint64_t before = shared_->fetch_add(std::uint64_t{1} << epoch_shift, std::memory_order_acq_rel);
    return static_cast<std::uint32_t>(before);
}

std::uint32_t claim_page::epoch() const noexcept {
    return static_cast<std::uint32_t>(shared_->load(std::memory_order_acquire) >> epoch_shift);
}

}  // namespace headrace::exec
