#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <headrace/base/bytes.hpp>
#include <headrace/measure/fold_id.hpp>
#include <headrace/measure/segment_reader.hpp>
#include <utility>

namespace headrace::measure {
namespace {

constexpr std::size_t read_ahead = std::size_t{1} << 20;

template <class T>
void take(const char* record, std::ptrdiff_t offset, T& out) noexcept {
    if (offset >= 0) out = load<T>(record + offset);
}

}  // namespace

segment_reader::~segment_reader() {
    close();
}

void segment_reader::close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

failure segment_reader::open(const std::string& path) {
    if (!name_.empty()) return failure::of(errc::invalid_argument, "this segment_reader was opened before");
    name_ = path;
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd_ < 0 || ::fstat(fd_, &status) != 0) {
        const int error = errno;
        why_ = failure::of(error == ENOENT ? errc::not_found : errc::io_error,
                           "cannot read " + path + ": " + std::strerror(error));
        return why_;
    }
    if (!S_ISREG(status.st_mode)) {
        why_ = failure::of(errc::invalid_argument, "cannot read " + path + ": a segment is a regular file");
        return why_;
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    return read_header();
}

failure segment_reader::open_bytes(std::string bytes, std::string name) {
    if (!name_.empty()) return failure::of(errc::invalid_argument, "this segment_reader was opened before");
    name_ = std::move(name);
    buffer_ = std::move(bytes);
    size_ = buffer_.size();
    return read_header();
}

failure segment_reader::read_header() {
    const auto refuse = [this](const std::string& what) {
        if (!why_) why_ = failure::of(errc::io_error, "cannot read " + name_ + ": " + what);
        return why_;
    };
    if (size_ == 0) return refuse("it is empty, its writer was stopped before the first byte");
    const std::size_t size = segment_header_size(fetch(0, segment_prologue));
    if (size == 0) return refuse(size_ < segment_prologue ? "the header is cut short" : "it is not a segment");
    const auto bytes = fetch(0, size);
    if (bytes.size() < size) return refuse("the header is cut short");
    if (const auto bad = decode_segment_header(bytes, header_)) return refuse(bad.message);
    at_ = size;
    find_fields();
    return {};
}

void segment_reader::find_fields() {
    const bool sent = header_.kind == row_kind::sent;
    fields_.id = header_.offset_of("id", "S40");
    fields_.intended = header_.offset_of("intended", "<i8");
    fields_.first = header_.offset_of(sent ? "sent" : "received", "<i8");
    fields_.second = header_.offset_of(sent ? "acked" : "receive_acked", "<i8");
    fields_.size = header_.offset_of("size", "<u4");
    fields_.worker = header_.offset_of("worker", "<u2");
    fields_.extra = header_.offset_of(sent ? "attempts" : "redelivered", "<u2");
    fields_.error = header_.offset_of("error", "<i4");
}

/// Bytes [offset, offset + size) as far as the file has them; lives until the next fetch.
std::string_view segment_reader::fetch(std::uint64_t offset, std::size_t size) {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - std::min(size_, offset)));
    if (offset >= buffer_at_ && offset + size <= buffer_at_ + buffer_.size()) {
        return std::string_view(buffer_).substr(static_cast<std::size_t>(offset - buffer_at_), size);
    }
    const auto wanted = std::min<std::uint64_t>(std::max(size, read_ahead), size_ - offset);
    buffer_.resize(static_cast<std::size_t>(wanted));
    buffer_at_ = offset;
    std::size_t got = 0;
    while (got < buffer_.size()) {
        const ssize_t n = ::pread(fd_, buffer_.data() + got, buffer_.size() - got, static_cast<off_t>(offset + got));
        if (n > 0) {
            got += static_cast<std::size_t>(n);
        } else if (n == 0 || errno != EINTR) {
            // A file that shrinks while it is read ends where it ends now.
            if (n < 0) why_ = failure::of(errc::io_error, "cannot read " + name_ + ": " + std::strerror(errno));
            size_ = offset + got;
            buffer_.resize(got);
        }
    }
    return std::string_view(buffer_).substr(0, size);
}

bool segment_reader::only_zeros_from(std::uint64_t offset) {
    while (offset < size_) {
        const auto bytes = fetch(offset, read_ahead);
        if (bytes.find_first_not_of('\0') != std::string_view::npos) return false;
        offset += bytes.size();
    }
    return true;
}

bool segment_reader::tear() {
    torn_bytes_ = size_ - at_;
    size_ = at_;
    return false;
}

bool segment_reader::damage(const char* what) {
    why_ = failure::of(errc::io_error, name_ + ": damaged at byte " + std::to_string(at_) + ": " + what + "; the " +
                                           std::to_string(rows_) + " rows before it are whole");
    return false;
}

bool segment_reader::next_block(segment_rows& out) {
    out = {};
    if (why_ || header_.record_size == 0 || at_ == size_) return false;
    const auto head = fetch(at_, segment_block_header);
    if (why_) return false;
    if (head.size() < segment_block_header) return tear();
    segment_block block;
    if (!decode_block_header(head.data(), block)) {
        return only_zeros_from(at_) ? tear() : damage("this is not the start of a block");
    }
    const std::uint64_t payload = std::uint64_t{block.rows} * header_.record_size;
    if (payload > header_.block_bytes) return damage("the block is larger than its header allows");
    const std::uint64_t end = at_ + segment_block_header + payload;
    if (end > size_) return tear();
    const auto records = fetch(at_ + segment_block_header, static_cast<std::size_t>(payload));
    if (why_) return false;
    if (records.size() < payload) return tear();
    if (!block_is_whole(block, records)) {
        return only_zeros_from(end) ? tear() : damage("the checksum of the block does not match");
    }
    at_ = end;
    rows_ += block.rows;
    out = {block.rows, records};
    return true;
}

std::uint64_t segment_reader::max_rows() const noexcept {
    return header_.record_size == 0 ? 0 : (size_ - at_) / header_.record_size;
}

/// The next record of this kind, or null.
const char* segment_reader::next_record(row_kind kind) {
    if (kind != header_.kind) return nullptr;
    while (block_next_ == block_.count) {
        block_next_ = 0;
        if (!next_block(block_)) return nullptr;
    }
    return block_.records.data() + header_.record_size * block_next_++;
}

bool segment_reader::next(sent_row& out) {
    const char* r = next_record(row_kind::sent);
    if (r == nullptr) return false;
    out = {};
    if (fields_.id >= 0) out.id = id_of(r + fields_.id);
    take(r, fields_.intended, out.intended);
    take(r, fields_.first, out.sent);
    take(r, fields_.second, out.acked);
    take(r, fields_.size, out.size);
    take(r, fields_.worker, out.worker);
    take(r, fields_.extra, out.attempts);
    take(r, fields_.error, out.error);
    return true;
}

bool segment_reader::next(received_row& out) {
    const char* r = next_record(row_kind::received);
    if (r == nullptr) return false;
    out = {};
    if (fields_.id >= 0) out.id = id_of(r + fields_.id);
    take(r, fields_.first, out.received);
    take(r, fields_.second, out.receive_acked);
    take(r, fields_.size, out.size);
    take(r, fields_.worker, out.worker);
    take(r, fields_.extra, out.redelivered);
    take(r, fields_.error, out.error);
    return true;
}

}  // namespace headrace::measure
