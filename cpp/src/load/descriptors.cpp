#include "descriptors.hpp"

#include <dirent.h>
#include <sys/resource.h>

#include <string>

namespace headrace::load {
namespace {

// Beside the connections of the load: epoll, eventfd, and what the process may open meanwhile.
constexpr rlim_t spare_descriptors = 64;

rlim_t open_descriptors() {
    rlim_t n = 0;
    if (DIR* folder = ::opendir("/proc/self/fd")) {
        while (::readdir(folder) != nullptr) ++n;
        ::closedir(folder);
    }
    return n;
}

}  // namespace

failure ensure_descriptors(std::size_t connections) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
    const rlim_t needed = connections + open_descriptors() + spare_descriptors;
    if (limit.rlim_cur == RLIM_INFINITY || needed <= limit.rlim_cur) return {};
    if (limit.rlim_max == RLIM_INFINITY || needed <= limit.rlim_max) {
        limit.rlim_cur = needed;
        if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return {};
    }
    return failure::of(errc::invalid_argument, "load: " + std::to_string(connections) + " connections need " +
                                                   std::to_string(needed) + " file descriptors, and this process may " +
                                                   "open " + std::to_string(limit.rlim_max) +
                                                   ": raise the limit (ulimit -n), or use fewer users");
}

}  // namespace headrace::load
