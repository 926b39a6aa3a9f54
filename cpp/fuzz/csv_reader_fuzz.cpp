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

void require(bool promise) {
    if (!promise) std::abort();
}

/// Reads on from `from` and checks that the rest is what the first reader gets.
void same_from(const std::string& path, const csv_mark& from, csv_reader& first) {
    csv_reader second(path, from);
    for (;;) {
        const csv_event a = first.next();
        const csv_event b = second.next();
        require(a == b);
        if (a == csv_event::end || a == csv_event::failed) return;
        require(first.row().line == second.row().line);
        if (a == csv_event::row) require(first.row().id == second.row().id && first.row().second == second.row().second);
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
    for (csv_event e = reader.next(); e != csv_event::end && e != csv_event::failed; e = reader.next()) {
        require(reader.row().line >= line);
        line = reader.row().line;
        if (e == csv_event::row) require(!reader.row().id.empty() && reader.row().first >= 0);
        if (++rows == size % 5 + 1) middle = reader.mark();
    }
    csv_reader again(path);
    for (std::size_t i = 0; i < size % 5 + 1 && i < rows; ++i) again.next();
    if (rows > size % 5) same_from(path, middle, again);
    ::close(fd);
    return 0;
}
