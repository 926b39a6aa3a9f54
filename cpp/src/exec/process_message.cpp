#include <headrace/exec/process_message.hpp>

#include <algorithm>
#include <cstring>
#include <headrace/base/bytes.hpp>
#include <utility>

namespace headrace::exec {

void append_frame(std::string& out, frame_header header, const message_body& body) {
    header.magic = frame_header::right_magic;
    header.in_slab = body.borrowed ? frame_header::borrowed : body.slab ? 1 : 0;
    if (body.borrowed) {
        const std::uint64_t place[] = {body.slab->id(), body.borrowed_offset, body.parts[0]};
        header.size = static_cast<std::uint32_t>(sizeof place + body.bytes.size());
        append_bytes(out, header);
        for (const auto word : place) append_bytes(out, word);
        out.append(body.bytes);
        return;
    }
    const std::size_t words = 2 + body.parts.size();
    header.size = static_cast<std::uint32_t>(body.slab ? words * sizeof(std::uint64_t) : body.bytes.size());
    append_bytes(out, header);
    if (!body.slab) {
        out.append(body.bytes);
        return;
    }
    append_bytes(out, body.slab->id());
    append_bytes(out, body.slab->capacity());
    for (const auto size : body.parts) append_bytes(out, size);
}

bool read_place(std::string_view bytes, slab_place& out) {
    constexpr std::size_t word = sizeof(std::uint64_t);
    if (bytes.size() < 3 * word || bytes.size() % word != 0) return false;
    out.id = load<std::uint64_t>(bytes.data());
    out.capacity = load<std::uint64_t>(bytes.data() + word);
    out.parts.clear();
    std::uint64_t left = out.capacity;
    for (std::size_t at = 2 * word; at < bytes.size(); at += word) {
        const auto size = load<std::uint64_t>(bytes.data() + at);
        if (size > left) return false;
        left -= std::min(part_room(size), left);
        out.parts.push_back(size);
    }
    return true;
}

std::size_t frame_reader::wanted() const noexcept {
    if (end_ - begin_ < sizeof(frame_header)) return usual_room;
    const auto header = load<frame_header>(buffer_.data() + begin_);
    return std::max(usual_room, sizeof(frame_header) + std::min(header.size, most_bytes));
}

bool read_borrowed(std::string_view bytes, message_body& out) {
    constexpr std::size_t word = sizeof(std::uint64_t);
    if (bytes.size() <= 3 * word) return false;
    out.borrowed = true;
    out.borrowed_from = load<std::uint64_t>(bytes.data());
    out.borrowed_offset = load<std::uint64_t>(bytes.data() + word);
    out.parts = {load<std::uint64_t>(bytes.data() + 2 * word)};
    out.bytes.assign(bytes.substr(3 * word));
    return true;
}

bool claim_borrowed(message_body& body, const std::shared_ptr<shared_slab>& own) {
    if (!body.borrowed) return true;
    const bool good = own && own->id() == body.borrowed_from && body.borrowed_offset <= own->capacity() &&
                      body.parts[0] <= own->capacity() - body.borrowed_offset;
    if (good) body.slab = own;
    return good;
}

char* frame_reader::prepare(std::size_t& room) {
    if (begin_ == end_) {
        begin_ = end_ = 0;
        if (buffer_.size() > 4 * usual_room) buffer_ = {};  // after a large frame
    }
    const std::size_t whole = wanted();
    if (buffer_.size() - begin_ < whole && begin_ != 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= std::exchange(begin_, 0);
    }
    if (buffer_.size() < whole) buffer_.resize(whole);
    if (buffer_.size() == end_) buffer_.resize(end_ + usual_room);  // whole frames that nobody took
    room = buffer_.size() - end_;
    return buffer_.data() + end_;
}

frame_reader::result frame_reader::next(frame_header& header, std::string_view& bytes) {
    if (broken_) return result::broken;
    if (end_ - begin_ < sizeof header) {
        // Garbage is told by its first bytes: a sender of it may never send a whole header.
        const std::uint32_t magic = frame_header::right_magic;
        const std::size_t seen = std::min(end_ - begin_, sizeof magic);
        if (seen != 0 && std::memcmp(buffer_.data() + begin_, &magic, seen) != 0) broken_ = true;
        return broken_ ? result::broken : result::more;
    }
    header = load<frame_header>(buffer_.data() + begin_);
    const bool good = header.magic == frame_header::right_magic && header.kind >= frame_kind::hello &&
                      header.kind <= frame_kind::error && header.size <= most_bytes;
    if (!good) {
        broken_ = true;
        return result::broken;
    }
    if (end_ - begin_ - sizeof header < header.size) return result::more;
    bytes = {buffer_.data() + begin_ + sizeof header, header.size};
    begin_ += sizeof header + header.size;
    return result::frame;
}

}  // namespace headrace::exec
