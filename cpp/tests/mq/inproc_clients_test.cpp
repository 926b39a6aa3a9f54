// Producer and Consumer for threads, over inproc://.
#include <gtest/gtest.h>

#include <atomic>
#include <headrace/mq/consumer.hpp>
#include <headrace/mq/producer.hpp>
#include <set>
#include <thread>

#include "../net/joined_runtimes.hpp"

namespace headrace::mq {
namespace {

using namespace std::chrono_literals;

struct inproc_clients : testing::Test {
    static std::string fresh_topic() {
        static std::atomic<int> number{0};
        return "clients-" + std::to_string(number++);
    }
    std::unique_ptr<producer> make_producer(std::size_t window, bool collect = false) {
        producer_options o;
        o.url = "inproc://clients";
        o.topic = topic;
        o.window = window;
        o.collect_acks = collect;
        std::unique_ptr<producer> out;
        EXPECT_FALSE(producer::make(o, runtime, out));
        EXPECT_TRUE(out->wait_open(10s));
        return out;
    }
    std::unique_ptr<consumer> make_consumer(std::size_t prefetch = 100) {
        consumer_options o;
        o.url = "inproc://clients";
        o.topic = topic;
        o.prefetch = prefetch;
        std::unique_ptr<consumer> out;
        EXPECT_FALSE(consumer::make(o, runtime, out));
        EXPECT_TRUE(out->wait_open(10s));
        return out;
    }
    test::joined_runtimes runtimes;
    std::shared_ptr<net::runtime> runtime = runtimes.make(2);
    std::string topic = fresh_topic();
};

TEST_F(inproc_clients, threads_share_a_producer_and_nothing_is_lost) {
    const auto p = make_producer(50);
    constexpr int each = 2000;
    const auto send = [&](int thread) {
        std::string id;
        for (int i = 0; i < each;) {
            const auto name = std::to_string(thread) + ":" + std::to_string(i);
            if (p->try_send("x", name, id) == producer::outcome::queued) {
                ++i;
            } else {
                p->wait_room(1s);
            }
        }
    };
    std::thread a(send, 1), b(send, 2);
    const auto c = make_consumer();
    std::set<std::string> seen;
    while (seen.size() < 2 * each) {
        std::vector<message> got;
        ASSERT_TRUE(c->receive(30s, 64, got));
        std::vector<std::uint64_t> tags;
        for (const auto& m : got) {
            EXPECT_TRUE(seen.insert(m.id).second) << m.id;
            tags.push_back(m.tag);
        }
        c->ack(std::move(tags));
    }
    a.join();
    b.join();
    EXPECT_TRUE(p->wait_settled(10s));
    EXPECT_TRUE(c->wait_settled(10s));
    EXPECT_EQ(p->stats().acked, 2U * each);
    EXPECT_EQ(c->stats().acked, 2U * each);
}

TEST_F(inproc_clients, collected_acks_name_every_message_and_count_against_the_window_until_read) {
    const auto p = make_producer(3, true);
    std::string id;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(p->try_send("x", std::to_string(i), id), producer::outcome::queued);
    ASSERT_TRUE(p->wait_settled(10s));
    EXPECT_EQ(p->try_send("x", "3", id), producer::outcome::full);
    const auto acks = p->take_acks();
    ASSERT_EQ(acks.size(), 3U);
    EXPECT_EQ(acks[2].id, "2");
    EXPECT_GE(acks[2].acked, acks[2].sent);
    EXPECT_EQ(p->try_send("x", "3", id), producer::outcome::queued);
}

TEST_F(inproc_clients, prefetch_bounds_what_is_unacknowledged) {
    const auto p = make_producer(100);
    std::string id;
    for (int i = 0; i < 20; ++i) p->try_send("x", "", id);
    const auto c = make_consumer(5);
    std::vector<message> got;
    while (got.size() < 5) ASSERT_TRUE(c->receive(10s, 100, got));
    EXPECT_FALSE(c->receive(50ms, 100, got));
    c->ack_through(got[3].tag);
    ASSERT_TRUE(c->wait_settled(10s));
    while (got.size() < 9) ASSERT_TRUE(c->receive(10s, 100, got));
    EXPECT_EQ(c->stats().unacked, 5U);
}

TEST_F(inproc_clients, acknowledging_twice_is_acknowledging_once) {
    const auto p = make_producer(10);
    std::string id;
    p->try_send("x", "", id);
    const auto c = make_consumer();
    std::vector<message> got;
    ASSERT_TRUE(c->receive(10s, 1, got));
    c->ack({got[0].tag, got[0].tag, 999});
    c->ack({got[0].tag});
    EXPECT_TRUE(c->wait_settled(10s));
    EXPECT_EQ(c->stats().acked, 1U);
}

TEST_F(inproc_clients, what_was_not_acknowledged_comes_again_to_the_next_consumer) {
    const auto p = make_producer(10);
    std::string id;
    p->try_send("x", "kept", id);
    std::vector<message> got;
    {
        const auto first = make_consumer();
        ASSERT_TRUE(first->receive(10s, 1, got));
    }
    const auto second = make_consumer();
    ASSERT_TRUE(second->receive(10s, 1, got));
    EXPECT_EQ(got[1].id, "kept");
    EXPECT_TRUE(got[1].redelivered);
}

TEST_F(inproc_clients, a_closed_producer_refuses_and_says_so) {
    const auto p = make_producer(10);
    p->close();
    std::string id;
    EXPECT_EQ(p->try_send("x", "", id), producer::outcome::failed);
    EXPECT_EQ(p->failed().code, errc::closed);
    EXPECT_TRUE(p->closed());
}

}  // namespace
}  // namespace headrace::mq
