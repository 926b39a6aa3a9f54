// Memory for the join in small equal blocks, up to a limit, and the temporary file that takes what goes beyond it.
//
// Threads:  block_pool from any thread. spill_file: write() from one thread; read() from any once writing is over.
// Lifetime: the pool outlives what it gave.   Errors: std::bad_alloc from take(); failure from spill_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <headrace/base/error.hpp>
#include <headrace/base/mutex.hpp>
#include <string>
#include <vector>

namespace headrace::measure {

class block_pool {
public:
    static constexpr std::size_t block_bytes = 16 * 1024;

    /// `limit`: bytes after which within_limit() is false.
    explicit block_pool(std::size_t limit) : limit_(limit) {}
    ~block_pool();
    block_pool(const block_pool&) = delete;
    block_pool& operator=(const block_pool&) = delete;

    std::byte* take();
    void give(std::byte* block);
    bool within_limit();

private:
    static constexpr std::size_t slab_bytes = 2 * 1024 * 1024;  // one huge page, where the kernel grants it

    mutex m_;
    std::size_t limit_;
    std::size_t used_ HEADRACE_GUARDED_BY(m_) = 0;
    std::vector<std::byte*> free_ HEADRACE_GUARDED_BY(m_);
    std::vector<void*> slabs_ HEADRACE_GUARDED_BY(m_);
};

/// A file without a name: gone when closed, whatever happens to the process.
class spill_file {
public:
    /// `folder`: where there is room. Nothing is created before the first write.
    explicit spill_file(std::string folder) : folder_(std::move(folder)) {}
    ~spill_file();
    spill_file(const spill_file&) = delete;
    spill_file& operator=(const spill_file&) = delete;

    failure write(const std::byte* data, std::size_t bytes, std::uint64_t& offset);
    failure read(std::byte* data, std::size_t bytes, std::uint64_t offset) const;

private:
    failure open();

    std::string folder_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace headrace::measure
