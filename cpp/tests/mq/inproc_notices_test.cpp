// Being told instead of waiting: Producer and Consumer over inproc://, as event loops use them.
#include <gtest/gtest.h>

#include <atomic>
#include <headrace/mq/consumer.hpp>
#include <headrace/mq/producer.hpp>
#include <semaphore>
#include <thread>
#include <vector>

#include "../net/joined_runtimes.hpp"

namespace headrace::mq {
namespace {

using namespace std::chrono_literals;

struct flag final : notice {
    void told() noexcept override { raised.release(); }
    bool wait() { return raised.try_acquire_for(30s); }
    std::counting_semaphore<> raised{0};
};

// Counts what its messages were answered; every answer exactly once.
struct tally {
    std::atomic<int> accepted{0}, failed{0}, handed_over{0};
};
struct one_ack final : ack_sink {
    explicit one_ack(tally& t) : counts(t) {}
    void acknowledged(acknowledgement a) noexcept override { ++(a.error ? counts.failed : counts.accepted); }
    void hand_over() noexcept override {
        for (ack_sink* s = this; s != nullptr;) {
            auto* next = s->next_acked;
            ++static_cast<one_ack*>(s)->counts.handed_over;
            delete static_cast<one_ack*>(s);
            s = next;
        }
    }
    tally& counts;
};

struct inproc_notices : testing::Test {
    inproc_notices() {
        static std::atomic<int> number{0};
        topic = "notices-" + std::to_string(number++);
        producer_options p;
        p.url = "inproc://notices";
        p.topic = topic;
        p.window = 20;
        EXPECT_FALSE(producer::make(p, runtime, sender));
        consumer_options c;
        c.url = p.url;
        c.topic = topic;
        c.prefetch = 50;
        EXPECT_FALSE(consumer::make(c, runtime, receiver));
    }
    test::joined_runtimes runtimes;
    std::shared_ptr<net::runtime> runtime = runtimes.make(2);
    std::string topic;
    std::unique_ptr<producer> sender;
    std::unique_ptr<consumer> receiver;
};

TEST_F(inproc_notices, room_messages_and_settlement_are_told) {
    constexpr int count = 2000;
    flag opened, both;
    sender->when_open(opened);
    receiver->when_open(both);
    EXPECT_TRUE(opened.wait());
    EXPECT_TRUE(both.wait());
    tally counts;
    int sent = 0, received = 0;
    std::string id;
    while (received < count) {
        auto* ack = new one_ack(counts);
        if (sent < count && sender->try_send("x", {}, id, ack) == producer::outcome::queued) {
            ++sent;
            continue;
        }
        delete ack;
        if (sent < count) {
            flag room;
            sender->when_room(room);
            EXPECT_TRUE(room.wait());
        }
        flag some;
        receiver->when_received(some);
        EXPECT_TRUE(some.wait());
        std::vector<message> got;
        receiver->receive(0ns, 1000, got);
        received += static_cast<int>(got.size());
        if (!got.empty()) receiver->ack_through(got.back().tag);
    }
    flag settled, confirmed;
    sender->when_settled(settled);
    receiver->when_settled(confirmed);
    EXPECT_TRUE(settled.wait());
    EXPECT_TRUE(confirmed.wait());
    EXPECT_EQ(receiver->stats().acked, static_cast<std::uint64_t>(count));
    while (counts.handed_over < count) std::this_thread::yield();  // on the I/O thread, after the notice
    EXPECT_EQ(counts.accepted, count);
}

TEST_F(inproc_notices, closing_tells_everybody_once) {
    tally counts;
    int queued = 0;
    std::string id;
    for (int i = 0; i < 100; ++i) {
        auto* ack = new one_ack(counts);
        if (sender->try_send("x", {}, id, ack) == producer::outcome::queued) {
            ++queued;
        } else {
            delete ack;
        }
    }
    flag room, settled, received;
    receiver->when_received(received);
    EXPECT_TRUE(received.wait());
    std::vector<message> got;
    while (receiver->receive(0ns, 1000, got)) {
    }
    flag never;
    receiver->when_received(never);
    sender->close();
    receiver->close();
    sender->when_room(room);
    sender->when_settled(settled);
    EXPECT_TRUE(room.wait());
    EXPECT_TRUE(settled.wait());
    EXPECT_TRUE(never.wait());
    EXPECT_EQ(sender->try_send("x", {}, id), producer::outcome::failed);
    while (counts.handed_over < queued) std::this_thread::yield();
    EXPECT_EQ(counts.accepted + counts.failed, queued);
}

}  // namespace
}  // namespace headrace::mq
