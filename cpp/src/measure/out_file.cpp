#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <headrace/measure/out_file.hpp>

namespace headrace::measure {

out_file::out_file(std::string path)
    : path_(std::move(path)), partial_(path_ + "." + std::to_string(::getpid()) + ".partial") {}

out_file::~out_file() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(partial_.c_str());
}

failure out_file::fail(const char* what) {
    error_ = failure::of(errc::io_error, std::string(what) + " " + path_ + ": " + std::strerror(errno));
    return error_;
}

failure out_file::open() {
    fd_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd_ < 0 ? fail("cannot write") : failure{};
}

failure out_file::write(std::string_view bytes) {
    while (!error_ && !bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail("cannot write");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return error_;
}

failure out_file::commit() {
    if (error_) return error_;
    const int closed = ::close(fd_);
    fd_ = -1;
    if (closed != 0 || ::rename(partial_.c_str(), path_.c_str()) != 0) {
        fail("cannot write");
        ::unlink(partial_.c_str());
    }
    return error_;
}

}  // namespace headrace::measure
