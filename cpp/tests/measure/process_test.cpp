#include <gtest/gtest.h>

#include <filesystem>
#include <headrace/measure/process.hpp>

#include "temporary_file.hpp"

namespace headrace::measure {
namespace {

const std::atomic<bool> never{false};

class ProcessTest : public ::testing::Test {
protected:
    failure run(const std::string& sent, const std::string& received, std::size_t threads = 2) {
        const std::string p = folder_.file("p.csv", sent);
        const std::string c = folder_.file("c.csv", received);
        return process({p}, {c}, {.out = folder_.path() + "/out", .threads = threads}, never, result_);
    }
    std::size_t files_written() const {
        std::size_t n = 0;
        for ([[maybe_unused]] const auto& f : std::filesystem::directory_iterator(folder_.path() + "/out")) ++n;
        return n;
    }
    test::temporary_folder folder_;
    process_result result_;
};

TEST_F(ProcessTest, WritesTheFourFiles) {
    ASSERT_FALSE(run("a,10.5,11\nb,10,10.25\n", "b,12,13\na,11,12\nb,13,14\n"));
    EXPECT_EQ(result_.judgement.verdict, verdict::valid);
    EXPECT_EQ(folder_.read("out/latencies.csv"),
              "id,processing_ms,send_ms\na,500.000000,500.000000\nb,2000.000000,250.000000\n");
    EXPECT_EQ(folder_.read("out/throughput.csv"), "second,received,sent\n0,0,2\n1,1,0\n2,1,0\n");
    EXPECT_EQ(folder_.read("out/problems.csv"), "problem,id,file,line,detail\nduplicate,b," + folder_.path() +
                                                    "/c.csv,3,\"receipt 2, 1000.000000 ms after the first\"\n");
    EXPECT_EQ(files_written(), 4U);
}

TEST_F(ProcessTest, ManyUnitsComeOutInTheOrderOfTheInput) {
    std::string p, c, expected = "id,processing_ms,send_ms\n";
    for (int i = 0; i < 300'000; ++i) {
        const std::string id = "m" + std::to_string(i);
        p += id + ",100,101\n";
        expected += id;
        expected += i >= 299'000 ? ",2000.000000,1000.000000\n" : ",,1000.000000\n";
    }
    for (int i = 299'999; i >= 299'000; --i) c += "m" + std::to_string(i) + ",102,103\n";
    ASSERT_FALSE(run(p, c, 4));
    EXPECT_EQ(result_.judgement.verdict, verdict::invalid);
    EXPECT_TRUE(folder_.read("out/latencies.csv") == expected);
}

TEST_F(ProcessTest, NothingInCommonWritesNothing) {
    ASSERT_FALSE(run("a,1,2\n", "b,1,2\n"));
    EXPECT_EQ(result_.judgement.verdict, verdict::failed);
    EXPECT_EQ(result_.judgement.reasons.size(), 1U);
    EXPECT_EQ(files_written(), 0U);
}

TEST_F(ProcessTest, CancellingLeavesNoFile) {
    const std::atomic<bool> now{true};
    const std::string p = folder_.file("p.csv", "a,1,2\n");
    const std::string c = folder_.file("c.csv", "a,1,2\n");
    EXPECT_EQ(process({p}, {c}, {.out = folder_.path() + "/out"}, now, result_).code, errc::cancelled);
    EXPECT_EQ(files_written(), 0U);
}

TEST_F(ProcessTest, AFolderThatCannotBeMadeIsAnError) {
    folder_.file("out", "in the way");
    EXPECT_EQ(run("a,1,2\n", "a,1,2\n").code, errc::io_error);
}

}  // namespace
}  // namespace headrace::measure
