// Readiness of many sockets, edge-triggered: one epoll_ctl per connection, none per request.
//
// Threads:  one owner; wake() from any thread.
// Lifetime: closing a descriptor takes it out. Events of a descriptor that was closed meanwhile may still come: tell them
//           apart by what stands in the key.
// Errors:   open() says why not. wait() has no errors.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <headrace/base/clock.hpp>
#include <headrace/base/error.hpp>
#include <span>

namespace headrace::load {

class poller {
public:
    static constexpr std::uint64_t wake_key = ~std::uint64_t{0};

    poller() = default;
    ~poller();
    poller(const poller&) = delete;
    poller& operator=(const poller&) = delete;

    failure open();
    /// 0 or an error number.
    int add(int fd, std::uint64_t key) noexcept;
    /// Until something is ready, wake() was called, or `moment` has come; the past means: do not wait.
    std::span<const epoll_event> wait(ns moment) noexcept;
    void wake() noexcept;

private:
    int epoll_ = -1;
    int event_ = -1;
    bool coarse_ = false;  // the kernel lacks epoll_pwait2
    std::array<epoll_event, 256> events_;
};

}  // namespace headrace::load
