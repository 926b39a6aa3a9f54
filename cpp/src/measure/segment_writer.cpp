#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <headrace/base/bytes.hpp>
#include <headrace/measure/segment_writer.hpp>

#include "segment_records.hpp"

namespace headrace::measure {
namespace {

const char* advice(int error) {
    switch (error) {
        case ENOSPC: return "free some space or record less (detail = \"ledger\")";
        case EDQUOT: return "the disk quota is used up; free some space";
        case EFBIG: return "the file size limit is reached (ulimit -f)";
        case EEXIST: return "choose a new path; recorded rows are never overwritten";
        case ENOENT: return "create the folder first";
        case EACCES: return "choose a folder that you may write to";
        case EMFILE: return "raise the limit of open files (ulimit -n)";
        default: return "check the disk";
    }
}

template <class Record>
void put_id(Record& r, std::string_view id) noexcept {
    fold_id_to(id, r.id);
    r.padding = 0;
}

}  // namespace

segment_writer::~segment_writer() {
    close();
}

failure segment_writer::open(const segment_options& options) {
    if (fd_ >= 0 || !path_.empty()) return failure::of(errc::invalid_argument, "this segment_writer was opened before");
    if (options.detail == detail_level::summary) {
        return failure::of(errc::invalid_argument, "detail summary records no rows: write no segment for it");
    }
    path_ = options.path;
    header_ = make_segment_header(options.kind, options.detail, options.program, options.anchor, options.block_bytes);
    capacity_ = static_cast<std::uint32_t>(header_.block_bytes / header_.record_size);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ < 0) {
        fail("create", errno);
        return why_;
    }
    buffer_ = std::make_unique<char[]>(segment_block_header + header_.block_bytes);
    append(encode_segment_header(header_));
    return why_;
}

/// Where the next record goes; null when rows are dropped.
char* segment_writer::slot(row_kind kind) {
    if (fd_ < 0 || why_) {
        ++dropped_;
        return nullptr;
    }
    if (kind != header_.kind) {
        why_ = failure::of(errc::invalid_argument, path_ + ": takes " + name_of(header_.kind) + " rows only");
        ++dropped_;
        return nullptr;
    }
    return buffer_.get() + segment_block_header + buffered_ * header_.record_size;
}

void segment_writer::record(const sent_row& row) {
    char* to = slot(row_kind::sent);
    if (to == nullptr) return;
    if (header_.detail == detail_level::full) {
        sent_record r;
        put_id(r, row.id);
        r.intended = row.intended;
        r.sent = row.sent;
        r.acked = row.acked;
        r.size = row.size;
        r.worker = row.worker;
        r.attempts = row.attempts;
        r.error = row.error;
        store(to, r);
    } else {
        ledger_record r;
        put_id(r, row.id);
        r.first = row.sent;
        r.second = row.acked;
        r.error = row.error;
        store(to, r);
    }
    commit();
}

void segment_writer::record(const received_row& row) {
    char* to = slot(row_kind::received);
    if (to == nullptr) return;
    if (header_.detail == detail_level::full) {
        received_record r;
        put_id(r, row.id);
        r.received = row.received;
        r.receive_acked = row.receive_acked;
        r.size = row.size;
        r.worker = row.worker;
        r.redelivered = row.redelivered;
        r.error = row.error;
        store(to, r);
    } else {
        ledger_record r;
        put_id(r, row.id);
        r.first = row.received;
        r.second = row.receive_acked;
        r.error = row.error;
        store(to, r);
    }
    commit();
}

void segment_writer::write_block() {
    const std::size_t size = buffered_ * header_.record_size;
    encode_block_header({buffer_.get() + segment_block_header, size}, buffered_, buffer_.get());
    append({buffer_.get(), segment_block_header + size});
    if (why_) {
        dropped_ += buffered_;
        rows_ -= buffered_;
    }
    buffered_ = 0;
}

/// All of `bytes` or, after a failure, none of them.
void segment_writer::append(std::string_view bytes) {
    std::size_t written = 0;
    while (written < bytes.size()) {
        const ssize_t n = ::write(fd_, bytes.data() + written, bytes.size() - written);
        if (n > 0) {
            written += static_cast<std::size_t>(n);
        } else if (n == 0 || errno != EINTR) {
            fail("write to", n == 0 ? EIO : errno);
            // Should cutting fail as well, readers drop the torn block by its checksum.
            if (::ftruncate(fd_, static_cast<off_t>(end_)) != 0) why_.message += "; its last block is torn";
            return;
        }
    }
    end_ += bytes.size();
}

std::error_code segment_writer::flush() {
    if (fd_ >= 0 && !why_ && buffered_ != 0) write_block();
    return why_.code;
}

failure segment_writer::close() {
    if (fd_ < 0) return why_;
    flush();
    // Some file systems report a full disk only here.
    if (::close(fd_) != 0 && errno != EINTR && !why_) fail("close", errno);
    fd_ = -1;
    return why_;
}

void segment_writer::fail(const char* what, int error) {
    why_ = failure::of(errc::io_error, std::string("cannot ") + what + ' ' + path_ + ": " + std::strerror(error) +
                                           "; " + advice(error));
}

}  // namespace headrace::measure
