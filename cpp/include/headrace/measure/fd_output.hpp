// Writes bytes to any file descriptor (file, pipe, socket, terminal) in a way that can be given up.
//
// A pipe whose reader sleeps would hold a plain write() for ever. Files are written plainly; sockets with MSG_DONTWAIT;
// pipes and terminals through a description of their own in non-blocking mode (the caller's flags are not touched), or,
// where that cannot be had, in pieces that a ready pipe takes without blocking.
// Threads:  write() from one thread, abort() from any. The writing thread must block SIGPIPE (chunk_writer does).
// Lifetime: the descriptor stays the caller's and must stay open until this object is gone.
// Errors:   write() returns the failure; a closed reader is errc::closed, everything else io_error.
#pragma once

#include <cstddef>
#include <headrace/base/error.hpp>
#include <string_view>

namespace headrace::measure {

class fd_output {
public:
    fd_output() = default;
    ~fd_output();
    fd_output(const fd_output&) = delete;
    fd_output& operator=(const fd_output&) = delete;

    failure open(int fd);

    /// Gives up what is its own of the descriptor: the reader of a pipe sees the end once the caller closes theirs.
    void close() noexcept;

    /// Writes all of `bytes`, or says why not; `written` counts what went out either way.
    failure write(std::string_view bytes, std::size_t& written);

    /// Ends the write() in progress and all later ones with errc::cancelled.
    void abort() noexcept;

    /// Takes the last `count` bytes written back, if this is a regular file. False when they stay.
    bool take_back(std::size_t count) noexcept;

private:
    enum class medium { file, socket, own_description, borrowed };

    std::ptrdiff_t write_some(std::string_view bytes) noexcept;
    failure wait_until_ready();
    failure explain(int error) const;

    int fd_ = -1;
    int own_fd_ = -1;
    int wake_fd_ = -1;
    medium medium_ = medium::file;
};

}  // namespace headrace::measure
