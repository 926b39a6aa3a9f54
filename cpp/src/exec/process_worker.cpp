#include <headrace/exec/process_worker.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

namespace headrace::exec {

std::unique_ptr<process_worker> process_worker::attach(int channel, int claims) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(channel, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return nullptr;
    // What the worker starts in its turn must not hold the channel open.
    if (::fcntl(channel, F_SETFD, FD_CLOEXEC) != 0) return nullptr;
    auto page = claim_page::attach(claims);
    if (!page) return nullptr;
    page->close_fd();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a parent that went before this is told by the end of the stream
    return std::unique_ptr<process_worker>(new process_worker(channel, std::move(page)));
}

process_worker::~process_worker() {
    ::close(fd_);
}

bool process_worker::ready(short events, ns timeout) const {
    pollfd entry{fd_, events, 0};
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec span{whole.count(), static_cast<long>((timeout - whole).count())};
    return ::ppoll(&entry, 1, &span, nullptr) > 0;
}

process_worker::event process_worker::next(frame_header& header, message_body& body, ns timeout) {
    for (bool waited = false;;) {
        const auto got = in_.next(header, body);
        if (got == frame_in::outcome::frame) return event::frame;
        if (got == frame_in::outcome::broken || gone_) return event::gone;
        bool full = false;
        const auto r = in_.read(fd_, full);
        if (r == frame_in::result::gone) gone_ = true;
        if (r != frame_in::result::nothing) continue;
        if (waited || timeout <= ns{0} || !ready(POLLIN, timeout)) return event::nothing;
        waited = true;
    }
}

void process_worker::answer(frame_kind kind, std::uint64_t id, const message_body& body) {
    out_.add({.kind = kind, .id = id}, body);
    written(ns{0});
}

bool process_worker::written(ns timeout) {
    for (bool waited = false;;) {
        if (wire_.empty()) out_.move_to(wire_);
        if (gone_ || wire_.empty()) return true;
        const auto done = wire_.write(fd_);
        if (done == frame_out::result::gone) gone_ = true;
        if (done != frame_out::result::blocked) continue;
        if (waited || timeout <= ns{0} || !ready(POLLOUT, timeout)) return false;
        waited = true;
    }
}

}  // namespace headrace::exec
