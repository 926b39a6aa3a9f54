#include <gtest/gtest.h>

#include <headrace/base/mutex.hpp>
#include <headrace/measure/fold_id.hpp>
#include <headrace/measure/ledger.hpp>
#include <headrace/measure/samples.hpp>
#include <headrace/measure/segment_writer.hpp>
#include <map>
#include <string>

#include "temporary_file.hpp"

namespace headrace::measure {
namespace {

const std::atomic<bool> never{false};

/// Collects what replay() hands out, keyed by file and line.
class collector final : public replay_visitor {
public:
    failure begin(const replay_unit& unit) override {
        source_ = unit.source;
        return {};
    }
    void row(const ledger_row& r, std::span<const match> matches) override {
        for (const match& m : matches) found[{source_, r.line}].push_back(m);
        ids[{source_, r.line}] = r.id;
    }
    void unreadable(std::uint64_t line, const std::string&, bool) override { bad.push_back(line); }
    failure end() override { return {}; }

    std::map<std::pair<std::size_t, std::uint64_t>, std::vector<match>> found;
    std::map<std::pair<std::size_t, std::uint64_t>, std::string> ids;
    std::vector<std::uint64_t> bad;

private:
    std::size_t source_ = 0;
};

/// Only counts them.
class counter final : public replay_visitor {
public:
    failure begin(const replay_unit&) override { return {}; }
    void row(const ledger_row&, std::span<const match> matches) override { results += matches.size(); }
    void unreadable(std::uint64_t, const std::string&, bool) override {}
    failure end() override { return {}; }
    std::size_t results = 0;
};

class LedgerTest : public ::testing::Test {
protected:
    ledger make(ledger_options o = {}) {
        o.spill_folder = folder_.path();
        return ledger(o);
    }
    void sent(ledger& l, const std::string& text, int owner = -1) {
        l.add(std::make_unique<csv_source>(folder_.file("p" + std::to_string(l.sources()), text), row_kind::sent),
              owner);
    }
    void received(ledger& l, const std::string& text) {
        l.add(std::make_unique<csv_source>(folder_.file("c" + std::to_string(l.sources()), text), row_kind::received));
    }
    void join(ledger& l) {
        const failure f = l.join(never);
        ASSERT_FALSE(f) << f.message;
    }
    test::temporary_folder folder_;
};

TEST_F(LedgerTest, EveryIdIsAccountedFor) {
    ledger l = make();
    sent(l, "ok,10,11\nlost,10,11\nunacked,10\ndouble,10,11\nretried,12,13\nretried,11,12\nhere,10,11\n");
    sent(l, "here,9,10\n");
    received(l, "ok,20,21\ndouble,21,22\ndouble,20,21\nretried,20,\nhere,20,\nnobody,20,\n");
    join(l);
    const ledger_counts& c = l.counts();
    EXPECT_EQ(c.sent, 6);
    EXPECT_EQ(c.sent_rows, 8);
    EXPECT_EQ(c.acked, 5);
    EXPECT_EQ(c.unacked, 1);
    EXPECT_EQ(c.lost, 1);
    EXPECT_EQ(c.received, 5);
    EXPECT_EQ(c.matched, 4);
    EXPECT_EQ(c.duplicated, 1);
    EXPECT_EQ(c.retries, 1);
    EXPECT_EQ(c.shared, 1);
    EXPECT_EQ(c.orphaned, 1);
    EXPECT_EQ(c.unjoined, 3);
    EXPECT_EQ(c.sent, c.acked + c.unacked);
    EXPECT_EQ(c.received, c.matched + c.orphaned);
    EXPECT_EQ(c.received_rows, c.received + c.duplicated);
}

TEST_F(LedgerTest, ResultsComeBackAtTheirRows) {
    ledger l = make();
    sent(l, "a,12,20\nbad\nb,10,11\na,11,30\n");
    received(l, "b,21,\nx,5,\na,19,25\na,18,24\n");
    join(l);
    collector seen;
    std::vector<replay_visitor*> visitors{&seen};
    ASSERT_FALSE(l.replay(visitors, never));
    const auto first = seen.found.at({0, 1});
    ASSERT_EQ(first.size(), 2U);
    EXPECT_EQ(first[0].kind, match_kind::primary);
    EXPECT_EQ(first[0].number, 1) << "one further send";
    EXPECT_EQ(first[0].sent, 11'000000000);
    EXPECT_EQ(first[0].acked, 20'000000000);
    EXPECT_EQ(first[0].received, 18'000000000);
    EXPECT_EQ(first[0].receive_acked, 24'000000000);
    EXPECT_EQ(first[1].kind, match_kind::again);
    EXPECT_EQ(first[1].received, 19'000000000);
    EXPECT_EQ(seen.found.at({0, 4})[0].kind, match_kind::retry);
    EXPECT_EQ(seen.found.at({1, 3})[0].kind, match_kind::duplicate);
    EXPECT_EQ(seen.found.at({1, 2})[0].kind, match_kind::orphan);
    EXPECT_EQ(seen.ids.at({1, 2}), "x");
    EXPECT_FALSE(seen.found.contains({1, 1}));
    EXPECT_EQ(seen.bad, std::vector<std::uint64_t>{2});
}

TEST_F(LedgerTest, SourcesOfOneOwnerAreOneProducer) {
    ledger l = make();
    sent(l, "a,1,2\n", 7);
    sent(l, "a,1,2\n", 7);
    received(l, "a,3,\n");
    join(l);
    EXPECT_EQ(l.counts().shared, 0U);
    EXPECT_EQ(l.counts().retries, 1U);
}

TEST_F(LedgerTest, OnDiskAndInMemoryAgree) {
    std::string p, c;
    for (int i = 0; i < 200'000; ++i) {
        const std::string id = "message-" + std::to_string(i);
        if (i % 1000 != 1) p += id + ",100." + std::to_string(i + 100'000) + ",200\n";
        if (i % 1000 != 2) c += id + ",150." + std::to_string(i * 7 % 900'000 + 100'000) + ",200\n";
        if (i % 500 == 3) c += id + ",160\n";
    }
    std::vector<ledger_counts> counts;
    for (const std::size_t memory : {std::size_t{1} << 30, std::size_t{0}}) {
        for (const std::size_t threads : {1U, 3U}) {
            ledger l = make({.memory_limit = memory, .threads = threads});
            sent(l, p);
            received(l, c);
            join(l);
            counts.push_back(l.counts());
            std::vector<counter> seen(threads);
            std::vector<replay_visitor*> visitors;
            for (counter& s : seen) visitors.push_back(&s);
            ASSERT_FALSE(l.replay(visitors, never));
            std::size_t results = 0;
            for (const counter& s : seen) results += s.results;
            EXPECT_EQ(results, 199'800U + 400 + 400 + 200) << "sent, receipts twice over for duplicates, orphans";
        }
    }
    for (const ledger_counts& k : counts)
        for (const count_field& f : count_fields) EXPECT_EQ(k.*f.value, counts[0].*f.value) << f.name;
    EXPECT_EQ(counts[0].lost, 200U);
    EXPECT_EQ(counts[0].orphaned, 200U);
    EXPECT_EQ(counts[0].duplicated, 400U);
}

TEST_F(LedgerTest, AFileThatChangesBetweenReadingsIsAnError) {
    ledger l = make();
    sent(l, "a,1,2\nb,1,2\n");
    received(l, "a,3,\n");
    join(l);
    folder_.file("p0", "a,1,2\n");
    collector seen;
    std::vector<replay_visitor*> visitors{&seen};
    const failure f = l.replay(visitors, never);
    EXPECT_EQ(f.code, errc::io_error);
    EXPECT_NE(f.message.find("changed while"), std::string::npos);
}

TEST_F(LedgerTest, CancellingEndsEveryPass) {
    const std::atomic<bool> now{true};
    ledger l = make();
    sent(l, "a,1,2\n");
    received(l, "a,3,\n");
    EXPECT_EQ(l.join(now).code, errc::cancelled);
    ledger joined = make();
    sent(joined, "a,1,2\n");
    received(joined, "a,3,\n");
    join(joined);
    collector seen;
    std::vector<replay_visitor*> visitors{&seen};
    EXPECT_EQ(joined.replay(visitors, now).code, errc::cancelled);
}

TEST_F(LedgerTest, ARunOfYearsHasNoSeconds) {
    ledger l = make();
    sent(l, "a,5,6\nb,1617516000,1617516001\n");
    received(l, "a,7,\n");
    join(l);
    EXPECT_TRUE(l.overlong());
    EXPECT_TRUE(l.seconds().empty());
    EXPECT_EQ(l.span().first_sent.line, 1U);
    EXPECT_EQ(l.span().last_sent.line, 2U);
}

class LedgerSegmentTest : public LedgerTest {
protected:
    /// A monotonic clock that reads 1000 s when the epoch is 1617516000 s.
    static constexpr clock_anchor anchor{std::chrono::seconds{1000}, std::chrono::seconds{1617516000}};

    std::string sent_segment(const std::vector<sent_row>& rows) { return segment("p.seg", row_kind::sent, rows); }
    std::string received_segment(const std::vector<received_row>& rows) {
        return segment("c.seg", row_kind::received, rows);
    }

    std::unique_ptr<ledger> join_files(const std::string& p, const std::string& c, bool epoch) {
        std::vector<std::unique_ptr<row_source>> sources;
        const failure f = make_sources({p}, {c}, epoch, sources);
        EXPECT_FALSE(f) << f.message;
        auto l = std::make_unique<ledger>(ledger_options{.spill_folder = folder_.path()});
        for (auto& source : sources) l->add(std::move(source));
        join(*l);
        return l;
    }

private:
    template <class Row>
    std::string segment(const std::string& name, row_kind kind, const std::vector<Row>& rows) {
        segment_writer w;
        const std::string path = folder_.path() + "/" + name;
        EXPECT_FALSE(w.open({.path = path, .kind = kind, .program = "test", .anchor = anchor}));
        for (const Row& r : rows) w.record(r);
        EXPECT_FALSE(w.close());
        return path;
    }
};

constexpr std::int64_t s = 1'000'000'000;

TEST_F(LedgerSegmentTest, SamplesHaveARowPerReceiptAndOrphansLast) {
    const std::string p =
        sent_segment({{.id = "b", .intended = 1, .sent = 2, .acked = 3, .size = 149, .worker = 4, .attempts = 2},
                      {.id = "a", .intended = 4, .sent = 5, .acked = 6, .size = 149},
                      {.id = "c", .intended = 7, .error = 3},
                      {.id = "a", .intended = 4, .sent = 8}});
    const std::string c = received_segment({{.id = "a", .received = 30, .receive_acked = 31, .redelivered = 1},
                                            {.id = "x", .received = 9, .size = 7, .worker = 2},
                                            {.id = "a", .received = 20, .receive_acked = 21, .error = 4},
                                            {.id = "b", .received = 40}});
    const auto joined = join_files(p, c, false);
    const ledger& l = *joined;
    EXPECT_EQ(l.counts().redelivered, 1U);
    EXPECT_EQ(l.counts().unacked, 1U);
    sample_table t;
    ASSERT_FALSE(collect_samples(l, 1, never, t));
    ASSERT_EQ(t.rows(), 5U);
    const auto id = [&](std::size_t i) { return std::string(id_of(t.id.data() + i * id_width)); };
    EXPECT_EQ(id(0) + id(1) + id(2) + id(3) + id(4), "baacx");
    EXPECT_EQ(t.attempt, (std::vector<std::uint32_t>{1, 1, 2, 0, 1}));
    EXPECT_EQ(t.attempts, (std::vector<std::uint32_t>{2, 2, 2, 1, 0}));
    EXPECT_EQ(t.source, (std::vector<std::int32_t>{0, 0, 0, 0, -1}));
    EXPECT_EQ(t.consumer, (std::vector<std::int32_t>{0, 0, 0, -1, 0}));
    EXPECT_EQ(t.intended, (std::vector<std::int64_t>{1, 4, 4, 7, absent}));
    EXPECT_EQ(t.sent, (std::vector<std::int64_t>{2, 5, 5, absent, absent}));
    EXPECT_EQ(t.received, (std::vector<std::int64_t>{40, 20, 30, absent, 9}));
    EXPECT_EQ(t.receive_acked, (std::vector<std::int64_t>{absent, 21, 31, absent, absent}));
    EXPECT_EQ(t.redelivered, (std::vector<std::uint8_t>{0, 0, 1, 0, 0}));
    EXPECT_EQ(t.error, (std::vector<std::int32_t>{0, 4, 0, 3, 0}));
    EXPECT_EQ(t.size, (std::vector<std::uint32_t>{149, 149, 149, 0, 7}));
    EXPECT_EQ(t.worker, (std::vector<std::uint16_t>{4, 0, 0, 0, 2}));
}

TEST_F(LedgerSegmentTest, SegmentsJoinCsvsByEpochTimeAndFoldedId) {
    const std::string long_id(100, 'x');
    const std::string p = sent_segment({{.id = long_id, .sent = 1001 * s, .acked = 1002 * s}});
    const std::string c = folder_.file("c.csv", long_id + ",1617516003,1617516004\n");
    const auto joined = join_files(p, c, false);
    const ledger& l = *joined;
    EXPECT_EQ(l.counts().matched, 1U);
    sample_table t;
    ASSERT_FALSE(collect_samples(l, 1, never, t));
    EXPECT_EQ(t.received[0] - t.sent[0], 2 * s);
    EXPECT_EQ(t.sent[0], 1617516001 * s);
}

TEST_F(LedgerSegmentTest, ATornTailIsReportedAndTheRestCounts) {
    const std::string p = sent_segment({{.id = "a", .sent = 1, .acked = 2}});
    folder_.file("p.seg", folder_.read("p.seg") + "HRBk torn");
    const std::string c = received_segment({{.id = "a", .received = 3}});
    const auto joined = join_files(p, c, true);
    const ledger& l = *joined;
    EXPECT_EQ(l.counts().matched, 1U);
    EXPECT_EQ(l.counts().torn, 1U);
    EXPECT_NE(l.unreadable(0).first_reason.find("torn block"), std::string::npos);
}

TEST_F(LedgerSegmentTest, ASegmentOfTheWrongKindIsRefused) {
    const std::string p = sent_segment({{.id = "a", .sent = 1}});
    std::vector<std::unique_ptr<row_source>> sources;
    const failure f = make_sources({}, {p}, false, sources);
    EXPECT_EQ(f.code, errc::invalid_argument);
    EXPECT_NE(f.message.find("expected received"), std::string::npos);
}

}  // namespace
}  // namespace headrace::measure
