#include "http_access_log.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <utility>

namespace headrace::net::http {

std::string clf_time(std::int64_t epoch_seconds) {
    constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t t = epoch_seconds;
    std::tm parts{};
    ::gmtime_r(&t, &parts);
    std::array<char, 32> day, rest;
    std::strftime(day.data(), day.size(), "%d/", &parts);
    std::strftime(rest.data(), rest.size(), "/%Y:%H:%M:%S +0000", &parts);
    return std::string(day.data()) + months[parts.tm_mon] + rest.data();
}

failure access_log::open(const std::string& path) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) return failure::of(errc::io_error, "access log " + path + ": " + std::strerror(errno));
    writer_ = std::thread([this] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        pthread_setname_np(pthread_self(), "headrace-log");
        write_all();
    });
    return {};
}

access_log::~access_log() {
    {
        const lock_guard hold(mutex_);
        closed_ = true;
        changed_.notify_all();
    }
    if (writer_.joinable()) writer_.join();
    if (fd_ >= 0) ::close(fd_);
}

// Targets have no quotes or control characters (the parser refuses them), so they need no escapes.
void access_log::add(const access_entry& e, std::string_view time) {
    std::string line;
    line.reserve(128);
    line.append(e.peer).append(" - - [").append(time).append("] \"").append(e.method).append(" ").append(e.target);
    line.append(" HTTP/1.").append(std::to_string(e.minor_version)).append("\" ").append(std::to_string(e.status));
    line.append(" ")
        .append(std::to_string(e.bytes))
        .append(" ")
        .append(std::to_string(e.took.count() / 1000))
        .append("\n");
    const lock_guard hold(mutex_);
    if (waiting_.size() + line.size() > max_buffered_) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    if (waiting_.empty()) changed_.notify_one();
    waiting_ += line;
}

void access_log::write_all() {
    std::string lines;
    for (;;) {
        {
            const lock_guard hold(mutex_);
            while (waiting_.empty() && !closed_) changed_.wait(mutex_);
            if (waiting_.empty()) return;
            lines.clear();
            lines.swap(waiting_);
        }
        for (std::string_view left = lines; !left.empty();) {
            const auto n = ::write(fd_, left.data(), left.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                const auto lost = std::count(left.begin(), left.end(), '\n');
                dropped_.fetch_add(static_cast<std::uint64_t>(lost), std::memory_order_relaxed);
                break;
            }
            left.remove_prefix(static_cast<std::size_t>(n));
        }
    }
}

}  // namespace headrace::net::http
