#include "poller.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace headrace::load {

poller::~poller() {
    if (event_ >= 0) ::close(event_);
    if (epoll_ >= 0) ::close(epoll_);
}

failure poller::open() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    event_ = epoll_ < 0 ? -1 : ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event_ >= 0 && add(event_, wake_key) == 0) return {};
    return failure::of(errc::io_error,
                       "load: cannot make an epoll instance: " + std::generic_category().message(errno));
}

int poller::add(int fd, std::uint64_t key) noexcept {
    epoll_event e{};
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    e.data.u64 = key;
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : errno;
}

std::span<const epoll_event> poller::wait(ns moment) noexcept {
    const ns left = moment == ns::max() ? ns::max() : std::max(moment - monotonic_now(), ns{0});
    int n = -1;
    if (!coarse_) {
        const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
        const timespec t{static_cast<time_t>(whole.count()), static_cast<long>((left - whole).count())};
        n = ::epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), left == ns::max() ? nullptr : &t,
                           nullptr);
        coarse_ = n < 0 && (errno == ENOSYS || errno == EPERM);
    }
    if (coarse_) {  // Linux before 5.11: whole milliseconds
        constexpr std::int64_t longest = 60'000;
        const auto ms = std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), longest);
        n = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), static_cast<int>(ms));
    }
    return {events_.data(), static_cast<std::size_t>(std::max(n, 0))};
}

void poller::wake() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(event_, &one, sizeof one);
}

}  // namespace headrace::load
