// Any bytes through the CSV reader: it ends, keeps its promises about lines and marks, and touches no foreign memory.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <headrace/measure/csv_reader.hpp>
#include <string>

namespace {

using headrace::measure::csv_event;
using headrace::measure::csv_mark;
using headrace::measure::csv_reader;
using headrace::measure::csv_row;

void require(bool promise) {
    if (!promise) std::abort();
}

/// Reads on from `from` and checks that the rest is what the first reader gets.
void same_from(const std::string& path, const csv_mark& from, csv_reader& first) {
    csv_reader second(path, from);
    csv_row x, y;
    for (;;) {
        const csv_event a = first.next(x);
        const csv_event b = second.next(y);
        require(a == b);
        if (a == csv_event::end || a == csv_event::failed) return;
        require(x.line == y.line);
        if (a == csv_event::row) require(x.id == y.id && x.second == y.second);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const int fd = ::memfd_create("csv", MFD_CLOEXEC);
    require(fd >= 0 && ::write(fd, data, size) == static_cast<ssize_t>(size));
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    csv_reader reader(path);
    std::uint64_t line = 0;
    std::size_t rows = 0;
    csv_mark middle;
    csv_row r;
    for (csv_event e = reader.next(r); e != csv_event::end && e != csv_event::failed; e = reader.next(r)) {
        require(r.line >= line);
        line = r.line;
        if (e == csv_event::row) require(!r.id.empty() && r.first >= 0);
        if (++rows == size % 5 + 1) middle = reader.mark();
    }
    csv_reader again(path);
    for (std::size_t i = 0; i < size % 5 + 1 && i < rows; ++i) again.next(r);
    if (rows > size % 5) same_from(path, middle, again);
    ::close(fd);
    return 0;
}
