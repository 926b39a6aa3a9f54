#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <headrace/measure/fd_output.hpp>
#include <string>
#include <utility>

namespace headrace::measure {
namespace {

/// A second, non-blocking description of the same pipe or terminal; -1 when the system gives none.
int reopen(int fd) noexcept {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

}  // namespace

fd_output::~fd_output() {
    close();
}

void fd_output::close() noexcept {
    if (own_fd_ >= 0) ::close(std::exchange(own_fd_, -1));
    if (wake_fd_ >= 0) ::close(std::exchange(wake_fd_, -1));
}

failure fd_output::open(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return explain(errno);
    fd_ = fd;
    wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd_ < 0) return explain(errno);
    if (S_ISREG(status.st_mode)) {
        medium_ = medium::file;
    } else if (S_ISSOCK(status.st_mode)) {
        medium_ = medium::socket;
    } else {
        own_fd_ = reopen(fd);
        medium_ = own_fd_ >= 0 ? medium::own_description : medium::borrowed;
    }
    return {};
}

std::ptrdiff_t fd_output::write_some(std::string_view bytes) noexcept {
    switch (medium_) {
        case medium::socket: return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        case medium::own_description: return ::write(own_fd_, bytes.data(), bytes.size());
        case medium::borrowed: return ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
        case medium::file: break;
    }
    return ::write(fd_, bytes.data(), bytes.size());
}

failure fd_output::write(std::string_view bytes, std::size_t& written) {
    written = 0;
    while (written < bytes.size()) {
        // A file is always ready: this only looks for abort(). A borrowed pipe must be ready before the write.
        if (medium_ == medium::file || medium_ == medium::borrowed) {
            if (auto stop = wait_until_ready()) return stop;
        }
        const auto n = write_some(bytes.substr(written));
        if (n > 0) {
            written += static_cast<std::size_t>(n);
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (auto stop = wait_until_ready()) return stop;
        } else if (n == 0 || errno != EINTR) {
            return explain(n == 0 ? EIO : errno);
        }
    }
    return {};
}

failure fd_output::wait_until_ready() {
    pollfd both[2] = {{own_fd_ >= 0 ? own_fd_ : fd_, POLLOUT, 0}, {wake_fd_, POLLIN, 0}};
    while (::poll(both, 2, -1) < 0) {
        if (errno != EINTR) return explain(errno);
    }
    if (both[1].revents != 0)
        return failure::of(errc::cancelled, "writing the output was given up: its reader is too slow");
    return {};
}

void fd_output::abort() noexcept {
    const std::uint64_t one = 1;
    // Cannot fail for want of room: the counter holds 2^64 - 2 of these.
    [[maybe_unused]] const auto n = ::write(wake_fd_, &one, sizeof one);
}

bool fd_output::take_back(std::size_t count) noexcept {
    if (medium_ != medium::file) return false;
    const off_t end = ::lseek(fd_, 0, SEEK_CUR);
    struct stat status {};
    // Only when ours are the last bytes: another writer may share the file.
    if (end < static_cast<off_t>(count) || ::fstat(fd_, &status) != 0 || status.st_size != end) return false;
    const off_t keep = end - static_cast<off_t>(count);
    return ::ftruncate(fd_, keep) == 0 && ::lseek(fd_, keep, SEEK_SET) == keep;
}

failure fd_output::explain(int error) const {
    const std::string reason = std::strerror(error);
    switch (error) {
        case EPIPE:
        case ECONNRESET: return failure::of(errc::closed, "the reader of the output has closed it");
        case ENOSPC:
        case EDQUOT: return failure::of(errc::io_error, "cannot write the output: " + reason + "; free some space");
        case EFBIG:
            return failure::of(errc::io_error, "cannot write the output: " + reason + "; raise the limit (ulimit -f)");
        case EBADF: return failure::of(errc::io_error, "cannot write the output: it is not open for writing");
        default: return failure::of(errc::io_error, "cannot write the output: " + reason);
    }
}

}  // namespace headrace::measure
