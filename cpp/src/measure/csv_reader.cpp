#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <headrace/measure/csv_reader.hpp>
#include <headrace/measure/csv_time.hpp>

namespace headrace::measure {
namespace {

constexpr std::size_t longest_row = 1 << 20;
constexpr std::size_t chunk = 512 << 10;

std::string clipped(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, 40)) out.push_back(c >= ' ' && c < 127 ? c : '?');
    return out + (text.size() > 40 ? "...'" : "'");
}

/// A word where a time should be, as in a header; not one of the ways to write "no number".
bool names_a_column(std::string_view text) noexcept {
    if (text.empty()) return false;
    const auto lower = [](char c) { return static_cast<char>(c | 0x20); };
    if (!((lower(text[0]) >= 'a' && lower(text[0]) <= 'z') || text[0] == '_')) return false;
    for (const std::string_view word : {"nan", "inf", "infinity", "null", "none", "na", "n/a"}) {
        if (std::equal(text.begin(), text.end(), word.begin(), word.end(),
                       [&](char a, char b) { return lower(a) == lower(b); }))
            return false;
    }
    return true;
}

bool plain_id(const char* begin, const char* end) noexcept {
    const auto edge = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    return begin != end && *begin != '"' && !edge(*begin) && !edge(end[-1]);
}

/// A UTF-16 byte order mark and one ASCII character; ids may begin with such bytes, but not go on like this.
bool utf16(std::string_view head) noexcept {
    const auto ascii = [](char c) { return c > 0; };
    if (head.size() < 4) return false;
    return (head.starts_with("\xFF\xFE") && ascii(head[2]) && head[3] == 0) ||
           (head.starts_with("\xFE\xFF") && head[2] == 0 && ascii(head[3]));
}

const char* find(const char* from, const char* to, char c) noexcept {
    return static_cast<const char*>(std::memchr(from, c, static_cast<std::size_t>(to - from)));
}

}  // namespace

csv_reader::csv_reader(std::string path, const csv_mark& from)
    : path_(std::move(path)), buffer_(new char[longest_row + chunk]), base_(from.offset), shape_(from) {
    at_ = end_ = buffer_.get();
}

csv_reader::~csv_reader() {
    if (fd_ >= 0) ::close(fd_);
}

csv_event csv_reader::fail(failure f) {
    error_ = std::move(f);
    return csv_event::failed;
}

bool csv_reader::open() {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) {
        const int e = errno;
        fail(failure::of(e == ENOENT ? errc::not_found : errc::io_error, path_ + ": " + std::strerror(e)));
        return false;
    }
    struct stat s {};
    if (::fstat(fd_, &s) != 0 || !S_ISREG(s.st_mode)) {
        fail(failure::of(errc::io_error,
                         path_ + ": not a regular file (it is read more than once, so a pipe will not do)"));
        return false;
    }
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (!fill()) return false;
    if (base_ != 0) return true;
    const std::string_view head = rest();
    if (utf16(head)) {
        fail(failure::of(errc::io_error, path_ + ": is UTF-16; save it as UTF-8"));
        return false;
    }
    if (head.starts_with("\xEF\xBB\xBF")) at_ += 3;
    return true;
}

/// Reads more behind what is left. False only on failure; sets eof_ at the end.
bool csv_reader::fill() {
    char* const begin = buffer_.get();
    if (at_ != begin) {
        base_ += static_cast<std::uint64_t>(at_ - begin);
        std::memmove(begin, at_, rest().size());
        end_ -= at_ - begin;
        at_ = begin;
    }
    const auto room = static_cast<std::size_t>(begin + longest_row + chunk - end_);
    const auto offset = base_ + static_cast<std::uint64_t>(end_ - begin);
    ssize_t n = 0;
    do n = ::pread(fd_, end_, std::min(room, chunk), static_cast<off_t>(offset));
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        fail(failure::of(errc::io_error, path_ + ": " + std::strerror(errno)));
        return false;
    }
    eof_ = n == 0;
    end_ += n;
    return true;
}

csv_mark csv_reader::mark() const noexcept {
    csv_mark m = shape_;
    m.offset = base_ + static_cast<std::uint64_t>(at_ - buffer_.get());
    return m;
}

void csv_reader::advance(std::size_t bytes, std::uint64_t newlines) noexcept {
    at_ += bytes;
    shape_.line += newlines;
}

void csv_reader::note_shape(std::uint32_t first, std::uint32_t second, std::uint8_t columns) noexcept {
    shape_.begun = true;
    shape_.shortest_first = std::min(shape_.shortest_first, first);
    shape_.shortest_second = std::min(shape_.shortest_second, second);
    shape_.columns = std::max(shape_.columns, columns);
}

/// A row without quotes, spaces or surprises. False leaves it to careful_row().
bool csv_reader::fast_row(const char* eol) noexcept {
    if (eol != at_ && eol[-1] == '\r') --eol;
    const char* const comma = find(at_, eol, ',');
    if (comma == nullptr || !plain_id(at_, comma)) return false;
    if (!usual_times(comma + 1, eol) && !plain_times({comma + 1, static_cast<std::size_t>(eol - comma - 1)}))
        return false;
    row_->id = {at_, static_cast<std::size_t>(comma - at_)};
    return true;
}

/// `dddddddddd.ddddddddd,dddddddddd.ddddddddd`: what our own programs write.
bool csv_reader::usual_times(const char* begin, const char* end) noexcept {
    constexpr std::ptrdiff_t width = 20;
    if (end - begin != 2 * width + 1 || begin[width] != ',') return false;
    if (!parse_plain_seconds(begin, row_->first) || !parse_plain_seconds(begin + width + 1, row_->second)) return false;
    note_shape(width, width, 3);
    return true;
}

/// One or two times in any of the accepted forms.
bool csv_reader::plain_times(std::string_view text) noexcept {
    const auto width = [](std::string_view t) { return static_cast<std::uint32_t>(t.size()); };
    const std::size_t comma = text.find(',');
    const parsed_time first = parse_time(text.substr(0, comma));
    row_->first = first.ns;
    row_->second = absent;
    if (first.fault != time_fault::none) return false;
    if (comma == std::string_view::npos) {
        note_shape(width(text), shape_.shortest_second, 2);
        return true;
    }
    const std::string_view rest = text.substr(comma + 1);
    const parsed_time second = parse_time(rest);
    if (second.fault != time_fault::none) return false;
    row_->second = second.ns;
    note_shape(width(text.substr(0, comma)), width(rest), 3);
    return true;
}

csv_reader::step csv_reader::next_line(const char*& eol) {
    for (;;) {
        eol = find(at_, end_, '\n');
        if (eol != nullptr) return step::ready;
        if (eof_) return at_ == end_ ? step::stop : step::ready;
        if (rest().size() >= longest_row) return step::ready;
        if (!fill()) return step::stop;
    }
}

csv_event csv_reader::next(csv_row& row) {
    row_ = &row;
    if (fd_ < 0 && !error_ && !open()) return csv_event::failed;
    for (;;) {
        const char* eol = nullptr;
        if (error_ || next_line(eol) == step::stop) return error_ ? csv_event::failed : csv_event::end;
        row_->line = shape_.line;
        if (eol != nullptr && fast_row(eol)) {
            advance(static_cast<std::size_t>(eol + 1 - at_), 1);
            return csv_event::row;
        }
        const csv_event e = careful_row();
        if (e != csv_event::end) return e;
    }
}

/// False when a longer piece is needed and cannot be had (failure, or the row is too long).
bool csv_reader::parse(csv_cut& cut) {
    for (;;) {
        cut = cut_row(rest(), eof_);
        if (cut.status != csv_split::need_more) return true;
        if (rest().size() >= longest_row || !fill()) return false;
    }
}

/// csv_event::end means that there was nothing in this row: blank, or the header.
csv_event csv_reader::careful_row() {
    csv_cut cut;
    if (!parse(cut)) {
        if (error_) return csv_event::failed;
        return skip_line("is longer than 1 MiB, or a quote is never closed");
    }
    if (cut.status == csv_split::open_quote) return skip_line("opens a quote that is never closed");
    if (cut.status == csv_split::after_quote) return skip_line("has text behind a closing quote");
    return judge(cut);
}

csv_event csv_reader::judge(const csv_cut& cut) {
    // Fields point into the buffer, which stays as it is until the next call.
    const bool at_end = !cut.ended;
    advance(cut.bytes, cut.newlines);
    if (cut.count == 1 && cut.fields[0].blank()) return csv_event::end;
    const bool first_row = !shape_.begun;
    shape_.begun = true;
    if (first_row && header(cut)) return csv_event::end;
    if (!times(cut)) {
        if (at_end) reason_ += " (the last row, without its newline)";
        return at_end ? csv_event::torn : csv_event::unreadable;
    }
    if (at_end) return last_row(cut);
    const auto width = [&](std::size_t i) { return static_cast<std::uint32_t>(cut.fields[i].text.size()); };
    const bool acked = cut.count == 3 && row_->second != absent;
    note_shape(width(1), acked ? width(2) : shape_.shortest_second, static_cast<std::uint8_t>(cut.count));
    return csv_event::row;
}

bool csv_reader::header(const csv_cut& cut) const noexcept {
    if (cut.count < 2) return false;
    for (std::size_t i = 1; i < std::min<std::size_t>(cut.count, csv_cut::most_fields); ++i)
        if (!names_a_column(cut.fields[i].text)) return false;
    return true;
}

/// Readable, but is it all of it? A time cut short still reads as a time.
csv_event csv_reader::last_row(const csv_cut& cut) {
    const csv_field& last = cut.fields[cut.count - 1];
    const auto whole = [](std::string_view t) { return std::min(t.find('.'), t.size()); };
    const std::uint32_t usual = cut.count == 3 ? shape_.shortest_second : shape_.shortest_first;
    const bool known = usual != std::numeric_limits<std::uint32_t>::max();
    bool complete = last.quoted || (known ? last.text.size() >= usual : shape_.columns == 0);
    if (cut.count == 3) complete = complete && (last.quoted || whole(last.text) == whole(cut.fields[1].text));
    if (cut.count < shape_.columns) complete = false;
    if (complete) return csv_event::row;
    reason_ = "is cut short: the last row, without its newline";
    return csv_event::torn;
}

bool csv_reader::time_field(const csv_field& f, const char* name, std::int64_t& out) {
    const parsed_time t = parse_time(f.text);
    if (t.fault == time_fault::none) {
        out = t.ns;
        return true;
    }
    reason_ = std::string(name) + " time " + clipped(f.text) + " " + std::string(explain(t.fault));
    return false;
}

bool csv_reader::times(const csv_cut& cut) {
    row_->second = absent;
    if (cut.count < 2 || cut.count > 3) {
        reason_ = "has " + std::to_string(cut.count) + (cut.count == 1 ? " column" : " columns") +
                  "; expected id, time and, if there is one, ack time";
        return false;
    }
    if (cut.fields[0].text.empty()) {
        reason_ = "has an empty id";
        return false;
    }
    row_->id = cut.fields[0].text;
    if (cut.fields[0].doubled) {
        unquote(row_->id, id_);
        row_->id = id_;
    }
    if (!time_field(cut.fields[1], "first", row_->first)) return false;
    const csv_field& ack = cut.fields[2];
    return cut.count == 2 || ack.text.empty() || time_field(ack, "ack", row_->second);
}

/// Gives the line up and goes on behind its newline, however far that is.
csv_event csv_reader::skip_line(std::string why) {
    reason_ = std::move(why);
    shape_.begun = true;
    for (;;) {
        const char* const eol = find(at_, end_, '\n');
        if (eol != nullptr) {
            advance(static_cast<std::size_t>(eol + 1 - at_), 1);
            return csv_event::unreadable;
        }
        at_ = end_;
        if (eof_) return csv_event::torn;
        if (!fill()) return csv_event::failed;
    }
}

}  // namespace headrace::measure
