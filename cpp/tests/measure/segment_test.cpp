#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <headrace/measure/fold_id.hpp>
#include <headrace/measure/segment_reader.hpp>
#include <headrace/measure/segment_writer.hpp>
#include <vector>

#include "temp_dir.hpp"

namespace headrace::measure {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

segment_options sent_to(const std::string& path, std::size_t block_bytes = 64 * 1024) {
    return {.path = path, .program = "test", .anchor = {1s, 1'700'000'000s}, .block_bytes = block_bytes};
}

sent_row row(std::string_view id, std::int64_t at) {
    return {
        .id = id, .intended = at, .sent = at + 1, .acked = at + 2, .size = 149, .worker = 3, .attempts = 2, .error = 0};
}

/// Three blocks of two rows.
std::string small_segment(const temp_dir& dir) {
    segment_writer w;
    EXPECT_FALSE(w.open(sent_to(dir / "small", 160)));
    for (int i = 0; i < 6; ++i) w.record(row("id-" + std::to_string(i), i));
    EXPECT_FALSE(w.close());
    return read_all(dir / "small");
}

std::vector<std::string> ids_in(segment_reader& r) {
    std::vector<std::string> ids;
    for (sent_row out; r.next(out);) ids.emplace_back(out.id);
    return ids;
}

TEST(Segment, GivesBackEveryFieldOfASentRow) {
    const temp_dir dir;
    segment_writer w;
    ASSERT_FALSE(w.open(sent_to(dir / "s")));
    w.record(row("first", 100));
    w.record(sent_row{.id = "failed", .intended = 5, .sent = 6, .acked = absent, .error = -7});
    ASSERT_FALSE(w.close());
    EXPECT_EQ(w.rows(), 2U);

    segment_reader r;
    ASSERT_FALSE(r.open(dir / "s"));
    EXPECT_EQ(r.header().kind, row_kind::sent);
    EXPECT_EQ(r.header().program, "test");
    EXPECT_EQ(r.header().anchor.epoch, 1'700'000'000s);
    sent_row out;
    ASSERT_TRUE(r.next(out));
    EXPECT_EQ(out.id, "first");
    EXPECT_EQ(out.intended, 100);
    EXPECT_EQ(out.sent, 101);
    EXPECT_EQ(out.acked, 102);
    EXPECT_EQ(out.size, 149U);
    EXPECT_EQ(out.worker, 3);
    EXPECT_EQ(out.attempts, 2);
    ASSERT_TRUE(r.next(out));
    EXPECT_EQ(out.acked, absent);
    EXPECT_EQ(out.error, -7);
    EXPECT_FALSE(r.next(out));
    EXPECT_FALSE(r.why());
    EXPECT_FALSE(r.torn());
    EXPECT_EQ(r.rows(), 2U);
    EXPECT_EQ(r.bytes(), r.size());
}

TEST(Segment, GivesBackEveryFieldOfAReceivedRow) {
    const temp_dir dir;
    segment_writer w;
    auto options = sent_to(dir / "r");
    options.kind = row_kind::received;
    ASSERT_FALSE(w.open(options));
    w.record(received_row{
        .id = "x", .received = 7, .receive_acked = 8, .size = 9, .worker = 10, .redelivered = 1, .error = 12});
    ASSERT_FALSE(w.close());

    segment_reader r;
    ASSERT_FALSE(r.open(dir / "r"));
    sent_row other;
    EXPECT_FALSE(r.next(other)) << "the other kind has no rows here";
    received_row out;
    ASSERT_TRUE(r.next(out));
    EXPECT_EQ(out.id, "x");
    EXPECT_EQ(out.received, 7);
    EXPECT_EQ(out.receive_acked, 8);
    EXPECT_EQ(out.size, 9U);
    EXPECT_EQ(out.worker, 10);
    EXPECT_EQ(out.redelivered, 1);
    EXPECT_EQ(out.error, 12);
}

TEST(Segment, LedgerDetailKeepsOnlyWhatProvesDelivery) {
    for (const auto kind : {row_kind::sent, row_kind::received}) {
        const temp_dir dir;
        segment_writer w;
        auto options = sent_to(dir / "l");
        options.kind = kind;
        options.detail = detail_level::ledger;
        ASSERT_FALSE(w.open(options));
        if (kind == row_kind::sent) w.record(row("a", 10));
        if (kind == row_kind::received)
            w.record(received_row{.id = "a", .received = 11, .receive_acked = 12, .size = 9});
        ASSERT_FALSE(w.close());

        segment_reader r;
        ASSERT_FALSE(r.open(dir / "l"));
        EXPECT_EQ(r.header().detail, detail_level::ledger);
        EXPECT_EQ(r.header().record_size, 64U);
        sent_row s;
        received_row c;
        if (kind == row_kind::sent) {
            ASSERT_TRUE(r.next(s));
            EXPECT_EQ(s.intended, absent);
            EXPECT_EQ(s.sent, 11);
            EXPECT_EQ(s.acked, 12);
            EXPECT_EQ(s.size, 0U);
        } else {
            ASSERT_TRUE(r.next(c));
            EXPECT_EQ(c.received, 11);
            EXPECT_EQ(c.receive_acked, 12);
            EXPECT_EQ(c.size, 0U);
        }
    }
}

TEST(Segment, FoldsIdsThatDoNotFit) {
    const temp_dir dir;
    const std::string id(100, 'k');
    segment_writer w;
    ASSERT_FALSE(w.open(sent_to(dir / "s")));
    w.record(row(id, 1));
    ASSERT_FALSE(w.close());
    segment_reader r;
    ASSERT_FALSE(r.open(dir / "s"));
    const auto key = fold_id(id);
    EXPECT_EQ(ids_in(r), std::vector<std::string>{std::string(id_of(key.data()))});
}

TEST(Segment, HeaderNamesItsFieldsForOtherPrograms) {
    const temp_dir dir;
    const std::string bytes = small_segment(dir);
    EXPECT_THAT(bytes, HasSubstr(R"("clock_anchor":{"monotonic_ns":1000000000,"epoch_ns":1700000000000000000})"));
    EXPECT_THAT(bytes, HasSubstr(R"({"name":"intended","type":"<i8","offset":40})"));
    EXPECT_THAT(bytes, HasSubstr(R"("record_size":80)"));
}

TEST(Segment, AnyCutLosesAtMostTheLastBlockAndIsReported) {
    const temp_dir dir;
    const std::string whole = small_segment(dir);
    const std::size_t header = segment_header_size(whole);
    const std::size_t block = segment_block_header + 160;
    ASSERT_EQ(whole.size(), header + 3 * block);
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        segment_reader r;
        const auto bad = r.open_bytes(whole.substr(0, cut));
        if (cut < header) {
            EXPECT_EQ(bad.code, errc::io_error) << cut;
            continue;
        }
        ASSERT_FALSE(bad) << cut << bad.message;
        EXPECT_EQ(ids_in(r).size(), (cut - header) / block * 2) << cut;
        EXPECT_FALSE(r.why()) << cut << r.why().message;
        EXPECT_EQ(r.torn_bytes(), (cut - header) % block) << cut;
    }
}

TEST(Segment, ADamagedMiddleIsAnErrorWithItsOffset) {
    const temp_dir dir;
    const std::string whole = small_segment(dir);
    const std::size_t second = segment_header_size(whole) + segment_block_header + 160;
    for (std::size_t at = second; at < second + segment_block_header + 160; ++at) {
        std::string bad = whole;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        segment_reader r;
        ASSERT_FALSE(r.open_bytes(bad, "run/p0.seg"));
        EXPECT_EQ(ids_in(r).size(), 2U) << at;
        EXPECT_EQ(r.why().code, errc::io_error) << at;
        EXPECT_THAT(r.why().message, HasSubstr("run/p0.seg: damaged at byte " + std::to_string(second)));
    }
}

TEST(Segment, ALastBlockWithABadChecksumIsATornTail) {
    const temp_dir dir;
    std::string bytes = small_segment(dir);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    segment_reader r;
    ASSERT_FALSE(r.open_bytes(bytes));
    EXPECT_EQ(ids_in(r).size(), 4U);
    EXPECT_EQ(r.torn_bytes(), segment_block_header + 160);
    EXPECT_FALSE(r.why());
}

TEST(Segment, ZerosAfterTheLastBlockAreATornTail) {
    const temp_dir dir;
    const std::string bytes = small_segment(dir) + std::string(5000, '\0');
    segment_reader r;
    ASSERT_FALSE(r.open_bytes(bytes));
    EXPECT_EQ(ids_in(r).size(), 6U);
    EXPECT_EQ(r.torn_bytes(), 5000U);
}

TEST(Segment, DamageInTheHeaderIsRefused) {
    const temp_dir dir;
    const std::string whole = small_segment(dir);
    for (std::size_t at = 0; at < segment_header_size(whole); ++at) {
        std::string bad = whole;
        bad[at] = static_cast<char>(bad[at] ^ 0x20);
        segment_reader r;
        EXPECT_EQ(r.open_bytes(bad).code, errc::io_error) << at;
    }
}

TEST(Segment, RefusesWhatIsNoSegmentInOneLine) {
    const temp_dir dir;
    write_all(dir / "empty", "");
    write_all(dir / "text", "id,sent,acked\n1,2,3\n");
    EXPECT_EQ(segment_reader{}.open(dir / "missing").code, errc::not_found);
    EXPECT_THAT(segment_reader{}.open(dir / "empty").message, HasSubstr("it is empty"));
    EXPECT_THAT(segment_reader{}.open(dir / "text").message, HasSubstr("it is not a segment"));
    EXPECT_EQ(segment_reader{}.open("/").code, errc::invalid_argument);
}

TEST(Segment, ReadsAFileLargerThanItsBuffer) {
    const temp_dir dir;
    segment_writer w;
    ASSERT_FALSE(w.open(sent_to(dir / "big")));
    const int n = 50'000;
    for (int i = 0; i < n; ++i) w.record(row(std::to_string(i), i));
    ASSERT_FALSE(w.close());
    segment_reader r;
    ASSERT_FALSE(r.open(dir / "big"));
    EXPECT_GE(r.max_rows(), static_cast<std::uint64_t>(n));
    std::int64_t i = 0;
    for (sent_row out; r.next(out); ++i) ASSERT_EQ(out.intended, i);
    EXPECT_EQ(i, n);
    EXPECT_EQ(r.bytes(), w.bytes());
}

TEST(SegmentWriter, WhatWasFlushedSurvivesSigkill) {
    const temp_dir dir;
    const std::string path = dir / "killed";
    const pid_t child = ::fork();
    if (child == 0) {
        segment_writer w;
        w.open(sent_to(path));
        for (int i = 0; i < 10; ++i) w.record(row("kept", i));
        w.flush();
        w.record(row("lost", 10));
        ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    segment_reader r;
    ASSERT_FALSE(r.open(path));
    EXPECT_EQ(ids_in(r), std::vector<std::string>(10, "kept"));
}

TEST(SegmentWriter, RefusesAFileThatExists) {
    const temp_dir dir;
    small_segment(dir);
    segment_writer w;
    const auto bad = w.open(sent_to(dir / "small"));
    EXPECT_EQ(bad.code, errc::io_error);
    EXPECT_THAT(bad.message, HasSubstr("never overwritten"));
}

TEST(SegmentWriter, RefusesSummaryAndRowsOfTheOtherKind) {
    const temp_dir dir;
    auto options = sent_to(dir / "x");
    options.detail = detail_level::summary;
    EXPECT_EQ(segment_writer{}.open(options).code, errc::invalid_argument);

    segment_writer w;
    ASSERT_FALSE(w.open(sent_to(dir / "y")));
    w.record(received_row{.id = "a"});
    EXPECT_EQ(w.error(), errc::invalid_argument);
    EXPECT_EQ(w.dropped(), 1U);
}

TEST(SegmentWriter, SaysThatTheFolderIsMissing) {
    segment_writer w;
    const auto bad = w.open(sent_to("/nonexistent/folder/s"));
    EXPECT_EQ(bad.code, errc::io_error);
    EXPECT_THAT(bad.message, HasSubstr("/nonexistent/folder/s: No such file or directory; create the folder first"));
    w.record(row("dropped", 1));
    EXPECT_EQ(w.dropped(), 1U);
}

/// A write that the system cuts short, as on a full disk: the file may not grow past `bytes`.
class file_size_limit {
public:
    explicit file_size_limit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        before_action_ = ::signal(SIGXFSZ, SIG_IGN);
        const rlimit now{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~file_size_limit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, before_action_);
    }

private:
    rlimit before_{};
    void (*before_action_)(int) = nullptr;
};

TEST(SegmentWriter, AFailedWriteLeavesWholeBlocksAndAStickyError) {
    const temp_dir dir;
    segment_writer w;
    ASSERT_FALSE(w.open(sent_to(dir / "full", 160)));
    {
        const file_size_limit limit(w.bytes() + 2 * (segment_block_header + 160) + 50);
        for (int i = 0; i < 9; ++i) w.record(row("r", i));
    }
    EXPECT_EQ(w.error(), errc::io_error);
    EXPECT_THAT(w.why().message, HasSubstr("full: File too large; "));
    EXPECT_EQ(w.rows(), 4U);
    EXPECT_EQ(w.dropped(), 5U);
    EXPECT_EQ(w.close().code, errc::io_error);

    segment_reader r;
    ASSERT_FALSE(r.open(dir / "full"));
    EXPECT_EQ(ids_in(r).size(), 4U);
    EXPECT_FALSE(r.torn()) << "the half block should have been cut off";
}

}  // namespace
}  // namespace headrace::measure
