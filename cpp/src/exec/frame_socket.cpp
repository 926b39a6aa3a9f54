#include <headrace/exec/frame_socket.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace headrace::exec {
namespace {

constexpr std::size_t descriptors_per_read = 16;
constexpr std::size_t known_before_sweep = 64;

struct control_buffer {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * descriptors_per_read)> bytes;
};

void attach(msghdr& message, control_buffer& control, int fd) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(sizeof fd);
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

void take_descriptors(msghdr& message, std::deque<int>& out) {
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < n; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            out.push_back(fd);
        }
    }
}

}  // namespace

bool frame_out::must_attach(const std::shared_ptr<shared_slab>& slab) {
    if (known_.size() > known_before_sweep) std::erase_if(known_, [](const auto& k) { return k.second.expired(); });
    return known_.emplace(slab->id(), slab).second;
}

void frame_out::add(const frame_header& header, const message_body& body) {
    frame_header h = header;
    if (body.slab && !body.borrowed && must_attach(body.slab)) {
        h.has_descriptor = 1;
        descriptors_.emplace_back(bytes_.size(), body.slab);
    }
    append_frame(bytes_, h, body);
}

void frame_out::move_to(frame_out& wire) {
    std::swap(bytes_, wire.bytes_);
    std::swap(descriptors_, wire.descriptors_);
    wire.at_ = 0;
}

frame_out::result frame_out::write(int fd) {
    while (at_ < bytes_.size()) {
        // A descriptor goes with the first byte of its frame; a write ends where the next one begins.
        const bool with = !descriptors_.empty() && descriptors_.front().first == at_;
        const std::size_t next = with ? 1 : 0;
        const std::size_t end = descriptors_.size() > next ? descriptors_[next].first : bytes_.size();
        iovec part{bytes_.data() + at_, end - at_};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        control_buffer control{};
        if (with) attach(message, control, descriptors_.front().second->fd());
        const ssize_t n = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? result::blocked : result::gone;
        if (with) descriptors_.pop_front();
        at_ += static_cast<std::size_t>(n);
    }
    bytes_.clear();
    at_ = 0;
    return result::sent;
}

frame_in::~frame_in() {
    for (const int fd : descriptors_) ::close(fd);
}

frame_in::result frame_in::read(int fd, bool& full) {
    std::size_t room = 0;
    iovec part{};
    part.iov_base = reader_.prepare(room);
    part.iov_len = room;
    control_buffer control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    full = false;
    ssize_t n = 0;
    do {
        n = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? result::nothing : result::gone;
    if (n == 0) return result::gone;
    take_descriptors(message, descriptors_);
    reader_.commit(static_cast<std::size_t>(n));
    full = static_cast<std::size_t>(n) == room || message.msg_controllen != 0;
    return result::some;
}

frame_in::outcome frame_in::next(frame_header& header, message_body& body) {
    std::string_view bytes;
    const auto got = reader_.next(header, bytes);
    if (got != outcome::frame) return got;
    body = {};
    if (header.in_slab == 0) {
        body.bytes.assign(bytes);
        return got;
    }
    if (header.in_slab == frame_header::borrowed) return read_borrowed(bytes, body) ? got : outcome::broken;
    slab_place place;
    if (!read_place(bytes, place)) return outcome::broken;
    if (header.has_descriptor != 0) {
        if (descriptors_.empty()) return outcome::broken;
        const int fd = descriptors_.front();
        descriptors_.pop_front();
        auto slab = shared_slab::attach(fd, place.id, place.capacity);
        if (!slab) return outcome::broken;
        slabs_.add(std::move(slab));
    }
    body.slab = slabs_.find(place.id);
    if (!body.slab || body.slab->capacity() < place.capacity) return outcome::broken;
    body.parts = std::move(place.parts);
    return got;
}

}  // namespace headrace::exec
