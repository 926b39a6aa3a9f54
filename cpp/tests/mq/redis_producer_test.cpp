#include <gmock/gmock.h>

#include <headrace/mq/redis_producer.hpp>

#include "scripted_peer.hpp"

namespace headrace::mq {
namespace {

using namespace std::chrono_literals;
using redis::answer;
using redis::bring_up;
using redis::write_all;
using tags = std::vector<std::uint64_t>;

constexpr std::string_view xadd_a =
    "*7\r\n$4\r\nXADD\r\n$1\r\nt\r\n$1\r\n*\r\n$2\r\nid\r\n$1\r\na\r\n$1\r\nm\r\n$2\r\nAA\r\n";

struct redis_producer : testing::Test {
    redis_producer_session with(redis_producer_options options) { return {std::move(options), session}; }
    redis::session session{redis::session_options{}};
};

TEST_F(redis_producer, sends_an_xadd_per_message_and_acknowledges_in_order) {
    auto producer = with({"t"});
    bring_up(session);
    producer.add(7, "a", "AA");
    EXPECT_EQ(write_all(session), xadd_a);
    producer.add(8, "b", "BBB");
    write_all(session);
    EXPECT_FALSE(answer(session, "$3\r\n1-0\r\n$3\r\n2-0\r\n", 5ms));
    EXPECT_EQ(producer.acked(), (tags{7, 8}));
    EXPECT_EQ(producer.acked_at(), 5ms);
    EXPECT_EQ(producer.requests(), 2U);
}

TEST_F(redis_producer, a_topic_and_a_payload_may_hold_any_bytes) {
    auto producer = with({std::string("a b\r\n\0é", 8)});
    producer.add(0, "i", std::string_view("\r\n$1\0", 5));
    bring_up(session);
    const auto bytes = write_all(session);
    EXPECT_NE(bytes.find(std::string("$8\r\na b\r\n\0é\r\n", 14)), std::string::npos);
    EXPECT_NE(bytes.find(std::string("$5\r\n\r\n$1\0\r\n", 11)), std::string::npos);
}

TEST_F(redis_producer, a_refused_message_says_why_and_the_next_is_not_touched) {
    auto producer = with({"t"});
    bring_up(session);
    producer.add(1, "a", "x");
    producer.add(2, "b", "x");
    write_all(session);
    EXPECT_FALSE(answer(session, "-OOM command not allowed\r\n$3\r\n1-0\r\n"));
    ASSERT_EQ(producer.refused().size(), 1U);
    EXPECT_EQ(producer.refused()[0].first, 1U);
    EXPECT_EQ(producer.refused()[0].second, "OOM command not allowed");
    EXPECT_EQ(producer.acked(), (tags{2}));
}

TEST_F(redis_producer, what_was_not_answered_is_sent_again_unchanged) {
    auto producer = with({"t"});
    bring_up(session);
    producer.add(1, "a", "AA");
    producer.add(2, "a", "AA");
    write_all(session);
    EXPECT_FALSE(answer(session, "$3\r\n1-0\r\n$3\r\n2-"));
    session.on_lost(failure::of(errc::connection_failed, "reset"));
    producer.on_lost();
    bring_up(session);
    EXPECT_EQ(write_all(session), xadd_a);
    EXPECT_FALSE(answer(session, "$3\r\n3-0\r\n"));
    EXPECT_EQ(producer.acked(), (tags{1, 2}));
}

TEST_F(redis_producer, a_batch_is_one_transaction_acknowledged_by_exec) {
    auto producer = with({"t", 2});
    bring_up(session);
    producer.add(1, "a", "AA");
    EXPECT_EQ(write_all(session), "") << "a batch is queued whole";
    producer.add(2, "a", "AA");
    const auto batch = "*1\r\n$5\r\nMULTI\r\n" + std::string(xadd_a) + std::string(xadd_a) + "*1\r\n$4\r\nEXEC\r\n";
    EXPECT_EQ(write_all(session), batch);
    EXPECT_FALSE(answer(session, "+OK\r\n+QUEUED\r\n+QUEUED\r\n"));
    EXPECT_TRUE(producer.acked().empty());
    EXPECT_FALSE(answer(session, "*2\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n"));
    EXPECT_EQ(producer.acked(), (tags{1, 2}));
    EXPECT_EQ(producer.requests(), 1U);
}

TEST_F(redis_producer, a_batch_interrupted_by_a_lost_connection_is_replayed_whole) {
    auto producer = with({"t", 2});
    bring_up(session);
    producer.add(1, "a", "AA");
    producer.add(2, "a", "AA");
    const auto batch = write_all(session);
    EXPECT_FALSE(answer(session, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$3\r\n1-0\r\n"));
    session.on_lost(failure::of(errc::connection_failed, "reset"));
    producer.on_lost();
    bring_up(session);
    EXPECT_EQ(write_all(session), batch);
    EXPECT_FALSE(answer(session, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$3\r\n3-0\r\n$3\r\n4-0\r\n"));
    EXPECT_EQ(producer.acked(), (tags{1, 2}));
}

TEST_F(redis_producer, an_aborted_batch_refuses_its_messages_with_the_first_reason) {
    auto producer = with({"t", 3});
    bring_up(session);
    producer.add(1, "a", "x");
    producer.add(2, "b", "x");
    producer.end_batch();
    write_all(session);
    EXPECT_FALSE(answer(session, "+OK\r\n-OOM no\r\n+QUEUED\r\n-EXECABORT discarded\r\n"));
    ASSERT_EQ(producer.refused().size(), 2U);
    EXPECT_EQ(producer.refused()[1].second, "OOM no");
}

TEST_F(redis_producer, one_bad_message_of_a_batch_does_not_refuse_the_others) {
    auto producer = with({"t", 2});
    bring_up(session);
    producer.add(1, "a", "x");
    producer.add(2, "b", "x");
    write_all(session);
    EXPECT_FALSE(answer(session, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-WRONGTYPE no\r\n$3\r\n1-0\r\n"));
    EXPECT_EQ(producer.acked(), (tags{2}));
    EXPECT_EQ(producer.refused()[0].first, 1U);
}

TEST_F(redis_producer, trims_now_and_then_only_when_asked) {
    auto plain = with({"t"});
    bring_up(session);
    for (std::uint64_t i = 0; i < 1000; ++i) plain.add(i, "a", "x");
    EXPECT_EQ(write_all(session).find("EVAL"), std::string::npos);
    redis::session other({});
    redis_producer_session trimming({"t", 0, 1000}, other);
    bring_up(other);
    for (std::uint64_t i = 0; i < 100; ++i) trimming.add(i, "a", "x");
    EXPECT_NE(write_all(other).find("EVAL"), std::string::npos);
    for (int i = 0; i < 100; ++i) answer(other, "$3\r\n1-0\r\n");
    EXPECT_FALSE(answer(other, ":0\r\n"));
    EXPECT_EQ(trimming.acked().size(), 100U);
}

TEST_F(redis_producer, prepared_messages_leave_with_the_same_bytes_when_released) {
    auto producer = with({"t"});
    bring_up(session);
    EXPECT_TRUE(producer.prepare(0, "a", "AA"));
    EXPECT_TRUE(producer.prepare(1, "a", "AA"));
    EXPECT_EQ(write_all(session), "");
    EXPECT_EQ(producer.requests(), 0U);
    producer.release(1);
    EXPECT_EQ(write_all(session), xadd_a);
    EXPECT_FALSE(answer(session, "$3\r\n1-0\r\n"));
    producer.release(1);
    EXPECT_EQ(write_all(session), xadd_a);
    EXPECT_FALSE(answer(session, "$3\r\n2-0\r\n"));
    EXPECT_EQ(producer.acked(), (tags{0, 1}));
    EXPECT_EQ(producer.requests(), 2U);
}

TEST_F(redis_producer, batches_and_trimming_are_not_prepared) {
    EXPECT_FALSE(with({"t", 2}).prepare(0, "a", "x"));
    EXPECT_FALSE(with({"t", 0, 100}).prepare(0, "a", "x"));
    bring_up(session);
    EXPECT_EQ(write_all(session), "");
}

}  // namespace
}  // namespace headrace::mq
