#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <headrace/measure/csv_writer.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "temp_dir.hpp"

namespace headrace::measure {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr clock_anchor anchor{0ns, 1'700'000'000s};

/// A descriptor that is closed with the test.
class descriptor {
public:
    explicit descriptor(int fd) : fd_(fd) {}
    ~descriptor() { reset(); }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    int get() const { return fd_; }
    void reset() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    int fd_;
};

struct two_ends {
    descriptor read;
    descriptor write;
};

two_ends make_pipe() {
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    return {descriptor(fds[0]), descriptor(fds[1])};
}

two_ends make_sockets() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {descriptor(fds[0]), descriptor(fds[1])};
}

int open_file(const std::string& path, int flags = O_WRONLY | O_CREAT) {
    return ::open(path.c_str(), flags | O_CLOEXEC, 0600);
}

std::string read_to_end(int fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
    return text;
}

sent_row row(std::string_view id, std::int64_t sent = 1, std::int64_t acked = 2) {
    return {.id = id, .sent = sent, .acked = acked};
}

TEST(CsvWriter, WritesRowsInTheSeedsFormat) {
    const temp_dir dir;
    const descriptor file(open_file(dir / "rows.csv"));
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = file.get()}));
    {
        csv_writer csv(out, {.anchor = anchor});
        csv.record(row("a-1", 5, 1'500'000'000));
        csv.record(row("a,2", 6, absent));
        csv.record(received_row{.id = "007", .received = 7, .receive_acked = 8});
        EXPECT_EQ(csv.rows(), 3U);
        EXPECT_FALSE(csv.flush());
    }
    EXPECT_FALSE(out.close());
    const std::string text = read_all(dir / "rows.csv");
    EXPECT_EQ(text,
              "a-1,1700000000.000000005,1700000001.500000000\n"
              "\"a,2\",1700000000.000000006,\n"
              "007,1700000000.000000007,1700000000.000000008\n");
    EXPECT_EQ(out.bytes_written(), text.size());
    EXPECT_FALSE(out.close()) << "closing twice is harmless";
}

TEST(CsvWriter, TakesIdsLargerThanAChunk) {
    const temp_dir dir;
    const descriptor file(open_file(dir / "rows.csv"));
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = file.get()}));
    const std::string id(5000, '"');
    {
        csv_writer csv(out, {.anchor = anchor, .chunk_bytes = 64});
        for (int i = 0; i < 3; ++i) csv.record(row(id));
    }
    ASSERT_FALSE(out.close());
    EXPECT_EQ(read_all(dir / "rows.csv").size(), 3 * (10'002 + 43U));
}

TEST(CsvWriter, RowsOfSeveralThreadsDoNotMix) {
    auto pipe = make_pipe();
    std::string text;
    std::thread reader([&] { text = read_to_end(pipe.read.get()); });
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = pipe.write.get(), .max_queue_bytes = 4096}));
    std::vector<std::thread> producers;
    for (int t = 0; t < 4; ++t) {
        producers.emplace_back([&out, t] {
            csv_writer csv(out, {.anchor = anchor, .chunk_bytes = 512});
            for (int i = 0; i < 2000; ++i) {
                csv.record(row(std::to_string(t) + "-" + std::to_string(i)));
                if (i % 7 == 0) csv.flush();
            }
        });
    }
    for (auto& p : producers) p.join();
    ASSERT_FALSE(out.close());
    pipe.write.reset();
    reader.join();
    std::vector<std::string> lines;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
        lines.push_back(text.substr(at, end - at));
        EXPECT_THAT(lines.back(), testing::EndsWith(",1700000000.000000001,1700000000.000000002"));
    }
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(std::unique(lines.begin(), lines.end()) - lines.begin(), 8000);
}

TEST(CsvWriter, AReaderThatClosesItsPipeIsAnErrorAndNotASignal) {
    auto pipe = make_pipe();
    pipe.read.reset();
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = pipe.write.get()}));
    csv_writer csv(out, {.anchor = anchor, .chunk_bytes = 128});
    while (!csv.error()) csv.record(row("x"));
    EXPECT_EQ(csv.error(), errc::closed);
    EXPECT_THAT(out.why().message, HasSubstr("the reader of the output has closed it"));
    for (int i = 0; i < 100; ++i) csv.record(row("x"));
    csv.flush();
    EXPECT_GT(csv.dropped(), 0U);
    EXPECT_EQ(out.close().code, errc::closed);
}

TEST(CsvWriter, AReaderThatClosesItsPipeInTheMiddleReleasesWaitingProducers) {
    auto pipe = make_pipe();
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = pipe.write.get(), .max_queue_bytes = 1024}));
    std::thread producer([&] {
        csv_writer csv(out, {.anchor = anchor, .chunk_bytes = 512});
        while (!csv.error()) csv.record(row("x"));
    });
    char buffer[4096];
    ASSERT_GT(::read(pipe.read.get(), buffer, sizeof buffer), 0);
    pipe.read.reset();
    producer.join();
    EXPECT_EQ(out.close().code, errc::closed);
}

TEST(CsvWriter, AClosedSocketIsAnErrorToo) {
    auto sockets = make_sockets();
    sockets.read.reset();
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = sockets.write.get()}));
    csv_writer csv(out, {.anchor = anchor, .chunk_bytes = 128});
    while (!csv.error()) csv.record(row("x"));
    EXPECT_EQ(csv.error(), errc::closed);
}

TEST(CsvWriter, AFullDeviceIsAnErrorThatSaysWhatToDo) {
    const descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    ASSERT_GE(full.get(), 0);
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = full.get()}));
    {
        csv_writer csv(out, {.anchor = anchor});
        csv.record(row("x"));
    }
    const auto bad = out.close();
    EXPECT_EQ(bad.code, errc::io_error);
    EXPECT_THAT(bad.message, HasSubstr("No space left on device; free some space"));
}

TEST(CsvWriter, AFileThatCannotGrowKeepsWholeRowsAndWhatStoodBefore) {
    const temp_dir dir;
    write_all(dir / "rows.csv", "older,1,2\n");
    const descriptor file(open_file(dir / "rows.csv", O_WRONLY | O_APPEND));
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = file.get()}));
    {
        csv_writer csv(out, {.anchor = anchor});
        for (int i = 0; i < 100; ++i) csv.record(row("id\n" + std::to_string(i)));
    }
    const auto bad = out.close();
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(bad.code, errc::io_error);
    const std::string text = read_all(dir / "rows.csv");
    EXPECT_TRUE(text.starts_with("older,1,2\n"));
    EXPECT_GT(text.size(), 900U);
    EXPECT_EQ(whole_rows(text), text.size());
}

TEST(CsvWriter, CloseGivesUpOnAReaderThatHasFallenAsleep) {
    for (auto* ends : {&make_pipe, &make_sockets}) {
        auto asleep = (*ends)();
        chunk_writer out;
        ASSERT_FALSE(out.open({.fd = asleep.write.get()}));
        {
            csv_writer csv(out, {.anchor = anchor});
            for (int i = 0; i < 100'000; ++i) csv.record(row("x"));
        }
        const auto bad = out.close(1ms);
        EXPECT_EQ(bad.code, errc::cancelled);
        EXPECT_THAT(bad.message, HasSubstr("its reader is too slow"));
    }
}

TEST(CsvWriter, WaitingForASlowReaderIsCounted) {
    auto pipe = make_pipe();
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = pipe.write.get(), .max_queue_bytes = 1024}));
    std::thread producer([&] {
        csv_writer csv(out, {.anchor = anchor, .chunk_bytes = 1024});
        for (int i = 0; i < 100'000; ++i) csv.record(row("x"));
    });
    std::string text;
    std::thread reader([&] { text = read_to_end(pipe.read.get()); });
    producer.join();
    EXPECT_FALSE(out.close());
    pipe.write.reset();
    reader.join();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100'000);
    EXPECT_GT(out.stalled(), 0ns);
}

TEST(CsvWriter, DoesNotTouchTheModeOfTheCallersDescriptor) {
    auto pipe = make_pipe();
    const int flags = ::fcntl(pipe.write.get(), F_GETFL);
    chunk_writer out;
    ASSERT_FALSE(out.open({.fd = pipe.write.get()}));
    EXPECT_EQ(::fcntl(pipe.write.get(), F_GETFL), flags);
    EXPECT_FALSE(out.close());
}

TEST(CsvWriter, ADescriptorThatIsNotOpenIsRefused) {
    chunk_writer out;
    EXPECT_EQ(out.open({.fd = -1}).code, errc::io_error);
    csv_writer csv(out, {.anchor = anchor});
    csv.record(row("x"));
    EXPECT_EQ(csv.flush(), errc::io_error);
    EXPECT_EQ(csv.dropped(), 1U);
}

}  // namespace
}  // namespace headrace::measure
