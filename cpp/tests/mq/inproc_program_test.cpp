// The produce and consume programs against each other over inproc://, with every thread they use.
#include <gtest/gtest.h>

#include <atomic>
#include <headrace/mq/consume_program.hpp>
#include <headrace/mq/produce_program.hpp>

namespace headrace::mq {
namespace {

using namespace std::chrono_literals;

std::string fresh_topic() {
    static std::atomic<int> number{0};
    return "program-" + std::to_string(number++);
}

produce_options producing(const std::string& topic, std::size_t threads, std::uint64_t count) {
    produce_options o;
    o.url = "inproc://programs?max_queue_size=500";
    o.topic = topic;
    o.threads = threads;
    o.count = count;
    o.size = 60;
    o.window = 100;
    return o;
}

consume_options consuming(const std::string& topic, std::size_t threads, std::uint64_t count) {
    consume_options o;
    o.url = "inproc://programs";
    o.topic = topic;
    o.threads = threads;
    o.count = count;
    o.batch = 10;
    return o;
}

TEST(inproc_program, every_message_is_acknowledged_and_received_once) {
    const auto topic = fresh_topic();
    produce_program producer(producing(topic, 2, 3000));
    consume_program consumer(consuming(topic, 2, 6000));
    ASSERT_FALSE(producer.open());
    ASSERT_FALSE(consumer.open());
    ASSERT_TRUE(producer.wait_connected(10s));
    ASSERT_TRUE(consumer.wait_connected(10s));
    producer.start(ns{0});
    consumer.start(ns{0});
    ASSERT_TRUE(producer.wait(60s));
    ASSERT_TRUE(consumer.wait(60s));
    EXPECT_FALSE(producer.close()) << producer.failed().message;
    EXPECT_FALSE(consumer.close()) << consumer.failed().message;
    EXPECT_EQ(producer.progress().acked, 6000U);
    EXPECT_EQ(producer.histograms().service.count(), 6000U);
    EXPECT_EQ(consumer.progress().receive_acked, 6000U);
    EXPECT_EQ(consumer.progress().duplicates, 0U);
}

TEST(inproc_program, stop_ends_a_producer_that_nobody_reads) {
    produce_program producer(producing(fresh_topic(), 1, 1'000'000));
    ASSERT_FALSE(producer.open());
    ASSERT_TRUE(producer.wait_connected(10s));
    producer.start(ns{0});
    EXPECT_FALSE(producer.wait(50ms));
    producer.stop();
    EXPECT_TRUE(producer.wait(10s));
    EXPECT_FALSE(producer.close());
    const auto p = producer.progress();
    EXPECT_GE(p.acked, 500U);
    EXPECT_LT(p.sent, 1'000'000U);
}

TEST(inproc_program, a_consumer_that_waits_in_vain_says_how_much_it_got) {
    auto options = consuming(fresh_topic(), 1, 5);
    options.timeout = 100ms;
    consume_program consumer(options);
    ASSERT_FALSE(consumer.open());
    ASSERT_TRUE(consumer.wait_connected(10s));
    consumer.start(ns{0});
    ASSERT_TRUE(consumer.wait(30s));
    const auto why = consumer.close();
    EXPECT_EQ(why.code, errc::timed_out);
    EXPECT_NE(why.message.find("received 0 of 5"), std::string::npos);
}

TEST(inproc_program, a_rate_is_kept_and_its_lateness_recorded) {
    const auto topic = fresh_topic();
    auto options = producing(topic, 2, 100);
    options.rate = 2000;
    produce_program producer(options);
    ASSERT_FALSE(producer.open());
    ASSERT_TRUE(producer.wait_connected(10s));
    const ns start = monotonic_now();
    producer.start(ns{0});
    ASSERT_TRUE(producer.wait(60s));
    EXPECT_FALSE(producer.close());
    EXPECT_EQ(producer.histograms().lateness.count(), 200U);
    EXPECT_EQ(producer.histograms().lateness.below(), 0U);
    EXPECT_EQ(producer.histograms().response.count(), 200U);
    // 200 messages at 2000/s: the last is due 99 ms after the start, never earlier. The first may be late.
    EXPECT_GE(producer.progress().last - start, 99ms);
}

TEST(inproc_program, refuses_options_outside_their_range) {
    const auto refusal = [](auto change) {
        auto options = producing("t", 1, 1);
        change(options);
        return produce_program(options).open();
    };
    EXPECT_EQ(refusal([](auto& o) { o.threads = 0; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.count = 0; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.size = 0; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.window = 0; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.rate = -1; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.topic = ""; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.url = "kafka://x"; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.instance = "a,b"; }).code, errc::invalid_argument);
    EXPECT_EQ(refusal([](auto& o) { o.batch = 101; }).code, errc::invalid_argument);
}

}  // namespace
}  // namespace headrace::mq
