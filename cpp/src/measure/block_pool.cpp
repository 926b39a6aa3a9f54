#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <headrace/measure/block_pool.hpp>
#include <new>

namespace headrace::measure {

block_pool::~block_pool() {
    for (void* slab : slabs_) std::free(slab);
}

std::byte* block_pool::take() {
    lock_guard lock(m_);
    if (free_.empty()) {
        void* const slab = std::aligned_alloc(slab_bytes, slab_bytes);
        if (slab == nullptr) throw std::bad_alloc();
        slabs_.push_back(slab);
        ::madvise(slab, slab_bytes, MADV_HUGEPAGE);
        for (std::size_t at = slab_bytes; at != 0; at -= block_bytes)
            free_.push_back(static_cast<std::byte*>(slab) + (at - block_bytes));
    }
    std::byte* const block = free_.back();
    free_.pop_back();
    used_ += block_bytes;
    return block;
}

void block_pool::give(std::byte* block) {
    lock_guard lock(m_);
    free_.push_back(block);
    used_ -= block_bytes;
}

bool block_pool::within_limit() {
    lock_guard lock(m_);
    return used_ < limit_;
}

spill_file::~spill_file() {
    if (fd_ >= 0) ::close(fd_);
}

failure spill_file::open() {
    fd_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ >= 0) return {};
    // Not every file system has O_TMPFILE.
    std::string name = folder_ + "/.headrace-spill-XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd_ < 0) return failure::of(errc::io_error, "no temporary file in " + folder_ + ": " + std::strerror(errno));
    ::unlink(name.c_str());
    return {};
}

failure spill_file::write(const std::byte* data, std::size_t bytes, std::uint64_t& offset) {
    if (fd_ < 0) {
        if (failure f = open()) return f;
    }
    offset = size_;
    while (bytes != 0) {
        const ssize_t n = ::pwrite(fd_, data, bytes, static_cast<off_t>(size_));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return failure::of(errc::io_error, "writing a temporary file in " + folder_ + ": " + std::strerror(errno) +
                                                   " (a larger memory limit needs none)");
        data += n;
        bytes -= static_cast<std::size_t>(n);
        size_ += static_cast<std::uint64_t>(n);
    }
    return {};
}

failure spill_file::read(std::byte* data, std::size_t bytes, std::uint64_t offset) const {
    while (bytes != 0) {
        const ssize_t n = ::pread(fd_, data, bytes, static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return failure::of(errc::io_error, "reading a temporary file in " + folder_ + ": " + std::strerror(errno));
        data += n;
        bytes -= static_cast<std::size_t>(n);
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

}  // namespace headrace::measure
