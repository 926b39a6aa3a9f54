// Frames over a Unix stream socket, with the descriptors of their slabs: what both ends of a pool's channel use.
// Threads:  each object one at a time; one frame_out and one frame_in may use a socket at once.
// Lifetime: the descriptor is the caller's.
// Errors:   `gone` when the peer has closed or the socket failed, `broken` for what is no frame.
#pragma once

#include <cstdint>
#include <deque>
#include <headrace/exec/process_message.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace headrace::exec {

/// Frames on their way out, in order.
class frame_out {
public:
    void add(const frame_header& header, const message_body& body);
    bool empty() const noexcept { return bytes_.empty(); }
    std::size_t size() const noexcept { return bytes_.size(); }
    /// Everything added so far moves to `wire`, which must be empty.
    void move_to(frame_out& wire);

    enum class result : std::uint8_t { sent, blocked, gone };
    /// As much as the socket takes without waiting.
    result write(int fd);

private:
    bool must_attach(const std::shared_ptr<shared_slab>& slab);

    std::string bytes_;
    std::size_t at_ = 0;                                                            // of what was sent
    std::deque<std::pair<std::size_t, std::shared_ptr<shared_slab>>> descriptors_;  // by the offset of their frame
    std::unordered_map<std::uint64_t, std::weak_ptr<shared_slab>> known_;           // to the peer
};

/// Frames as they come in.
class frame_in {
public:
    frame_in() = default;
    ~frame_in();
    frame_in(const frame_in&) = delete;
    frame_in& operator=(const frame_in&) = delete;

    enum class result : std::uint8_t { some, nothing, gone };
    /// One read that does not wait. Sets `full` when there may be more.
    result read(int fd, bool& full);

    using outcome = frame_reader::result;
    /// The next frame and its body. A body in `bytes` is copied.
    outcome next(frame_header& header, message_body& body);

private:
    frame_reader reader_;
    std::deque<int> descriptors_;
    slab_table slabs_;
};

}  // namespace headrace::exec
