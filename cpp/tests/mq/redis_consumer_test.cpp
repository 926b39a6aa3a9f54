#include <gmock/gmock.h>

#include <headrace/mq/redis_consumer.hpp>

#include "scripted_peer.hpp"

namespace headrace::mq {
namespace {

using namespace std::chrono_literals;
using redis::answer;
using redis::bring_up;
using redis::write_all;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string entry(std::string_view name, std::string_view id) {
    return "*2\r\n" + bulk(name) + "*4\r\n" + bulk("id") + bulk(id) + bulk("m") + bulk("x");
}

std::string entries(std::initializer_list<std::string> several) {
    std::string all = "*1\r\n*2\r\n" + bulk("t") + "*" + std::to_string(several.size()) + "\r\n";
    for (const auto& e : several) all += e;
    return all;
}

const std::string nothing = "*-1\r\n";
const std::string none_pending = entries({});
const std::string nothing_claimed = "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n";

// One consumer, its two sessions, and a server played by hand. Commands are shown as their words.
struct redis_consumer : testing::Test, redis_consumer_session::events {
    void deliver(std::span<const delivery> messages, ns) override {
        for (const auto& m : messages) got.push_back(std::string(m.id) + (m.redelivered ? " again" : ""));
        last_tag = messages.back().tag;
    }
    void acked(std::span<const std::uint64_t> tags, ns) override {
        confirmed.insert(confirmed.end(), tags.begin(), tags.end());
    }
    void dead(const failure& why) override { death = why.message; }

    std::string sent(redis::session& s) {
        std::string words;
        std::string_view bytes;
        const auto all = write_all(s, now);
        for (bytes = all; !bytes.empty();) {
            const auto line = bytes.find("\r\n");
            const char type = bytes[0];
            const auto n = static_cast<std::size_t>(std::stoul(std::string(bytes.substr(1, line - 1))));
            bytes.remove_prefix(line + 2);
            if (type == '*') {
                words += words.empty() ? "" : "; ";
                continue;
            }
            words += (words.empty() || words.ends_with("; ") ? "" : " ") + std::string(bytes.substr(0, n));
            bytes.remove_prefix(n + 2);
        }
        return words;
    }
    std::string read_commands() {
        consumer.pump(now);
        return sent(reader);
    }
    void reply(std::string_view bytes) { EXPECT_FALSE(answer(reader, bytes, now)); }
    void connect() {
        bring_up(reader, now);
        bring_up(acker, now);
        consumer.on_reader_up(now);
    }
    // Through the recovery and the first claim, which find nothing.
    void settle_in() {
        connect();
        read_commands();
        reply("+OK\r\n" + none_pending);
        read_commands();
        reply(nothing_claimed);
    }
    void lose() {
        reader.on_lost(failure::of(errc::connection_failed, "reset"));
        acker.on_lost(failure::of(errc::connection_failed, "reset"));
    }

    ns now{1s};
    redis::session reader{redis::session_options{}};
    redis::session acker{redis::session_options{}};
    redis_consumer_session consumer{{"t", "g", "me", 2, 30s}, reader, acker, *this};
    std::vector<std::string> got;
    std::vector<std::uint64_t> confirmed;
    std::uint64_t last_tag = 0;
    std::string death;
};

TEST_F(redis_consumer, makes_the_group_reads_its_own_pending_then_claims_then_waits) {
    consumer.allow(2);
    connect();
    EXPECT_EQ(read_commands(), "XGROUP CREATE t g 0 MKSTREAM; XREADGROUP GROUP g me COUNT 2 STREAMS t 0");
    reply("-BUSYGROUP exists\r\n" + none_pending);
    EXPECT_EQ(read_commands(), "XAUTOCLAIM t g me 30000 0-0 COUNT 2");
    reply(nothing_claimed);
    EXPECT_EQ(read_commands(), "XREADGROUP GROUP g me COUNT 2 BLOCK 1000 STREAMS t >");
    EXPECT_EQ(death, "");
}

TEST_F(redis_consumer, asks_for_no_more_than_it_is_allowed) {
    connect();
    EXPECT_EQ(read_commands(), "XGROUP CREATE t g 0 MKSTREAM");
    consumer.allow(1);
    EXPECT_THAT(read_commands(), HasSubstr("COUNT 1 "));
    reply("+OK\r\n" + none_pending);
    read_commands();
    reply(nothing_claimed);
    EXPECT_THAT(read_commands(), HasSubstr("COUNT 1 BLOCK"));
    reply(entries({entry("1-0", "a")}));
    EXPECT_EQ(read_commands(), "");
    EXPECT_THAT(got, ElementsAre("a"));
}

TEST_F(redis_consumer, does_not_block_and_reads_ahead_while_there_is_a_backlog) {
    consumer.allow(100);
    settle_in();
    EXPECT_THAT(read_commands(), HasSubstr("BLOCK"));
    reply(entries({entry("1-0", "a"), entry("2-0", "b")}));
    const auto ahead = read_commands();
    EXPECT_THAT(ahead, testing::Not(HasSubstr("BLOCK")));
    EXPECT_THAT(ahead, HasSubstr("; XREADGROUP"));
    // The backlog ends: what is under way comes back short, then one blocking read waits.
    while (reader.pending() > 0) reply(nothing);
    EXPECT_EQ(read_commands(), "XREADGROUP GROUP g me COUNT 2 BLOCK 1000 STREAMS t >");
}

TEST_F(redis_consumer, acknowledges_on_the_other_connection_in_requests_of_a_batch) {
    consumer.allow(3);
    settle_in();
    read_commands();
    reply(entries({entry("1-0", "a"), entry("2-0", "b")}));
    read_commands();
    reply(entries({entry("3-0", "c")}));
    const std::uint64_t tags[] = {0, 1, 2};
    consumer.ack(tags);
    EXPECT_EQ(sent(acker), "XACK t g 1-0 2-0; XACK t g 3-0");
    EXPECT_FALSE(answer(acker, ":2\r\n", now));
    EXPECT_THAT(confirmed, ElementsAre(0, 1));
    EXPECT_FALSE(answer(acker, ":1\r\n", now));
    EXPECT_THAT(confirmed, ElementsAre(0, 1, 2));
}

TEST_F(redis_consumer, after_a_lost_connection_delivers_what_it_never_saw_and_not_what_it_holds) {
    consumer.allow(10);
    settle_in();
    read_commands();
    reply(entries({entry("1-0", "a"), entry("2-0", "b")}));
    read_commands();
    lose();  // an answer with 3-0 was on its way
    connect();
    read_commands();
    reply("-BUSYGROUP exists\r\n" + entries({entry("1-0", "a"), entry("2-0", "b")}));
    EXPECT_EQ(read_commands(), "XREADGROUP GROUP g me COUNT 2 STREAMS t 2-0");
    reply(entries({entry("3-0", "c")}));
    EXPECT_THAT(got, ElementsAre("a", "b", "c again"));
}

TEST_F(redis_consumer, does_not_deliver_again_what_was_acknowledged_while_it_recovered) {
    consumer.allow(10);
    settle_in();
    read_commands();
    reply(entries({entry("1-0", "a"), entry("2-0", "b")}));
    lose();
    connect();
    read_commands();
    const std::uint64_t tags[] = {0, 1};
    consumer.ack(tags);
    sent(acker);
    EXPECT_FALSE(answer(acker, ":2\r\n", now));
    reply("-BUSYGROUP exists\r\n" + entries({entry("1-0", "a"), entry("2-0", "b")}));  // read before the XACK ran
    EXPECT_THAT(got, ElementsAre("a", "b"));
}

TEST_F(redis_consumer, an_ack_without_answer_is_sent_again) {
    consumer.allow(10);
    settle_in();
    read_commands();
    reply(entries({entry("1-0", "a")}));
    const std::uint64_t tags[] = {0};
    consumer.ack(tags);
    EXPECT_EQ(sent(acker), "XACK t g 1-0");
    lose();
    connect();
    EXPECT_EQ(sent(acker), "XACK t g 1-0");
    EXPECT_FALSE(answer(acker, ":1\r\n", now));
    EXPECT_THAT(confirmed, ElementsAre(0));
}

TEST_F(redis_consumer, claims_what_others_left_every_half_of_the_idle_time) {
    consumer.allow(10);
    settle_in();
    read_commands();
    now += 15s;
    reply(nothing);
    EXPECT_THAT(read_commands(), HasSubstr("XAUTOCLAIM t g me 30000 0-0 COUNT 2"));
    reply("*3\r\n$3\r\n7-0\r\n*1\r\n" + entry("5-0", "left") + "*1\r\n$3\r\n4-0\r\n");
    EXPECT_THAT(got, ElementsAre("left again"));
    EXPECT_EQ(consumer.dropped_by_broker(), 1U);
    EXPECT_THAT(read_commands(), HasSubstr("XAUTOCLAIM t g me 30000 7-0")) << "goes on where it stopped";
}

TEST_F(redis_consumer, leaves_its_group_in_one_step_that_looks_for_pending_entries_first) {
    consumer.allow(10);
    settle_in();
    consumer.leave();
    const auto farewell = sent(acker);
    EXPECT_THAT(farewell, HasSubstr("EVAL"));
    EXPECT_LT(farewell.find("XPENDING"), farewell.find("DELCONSUMER"));
    EXPECT_THAT(farewell, testing::EndsWith(" 1 t g me"));
    EXPECT_FALSE(answer(acker, "-NOPERM no scripts here\r\n", now));
    EXPECT_EQ(death, "");
}

TEST_F(redis_consumer, makes_the_group_again_when_it_vanished) {
    consumer.allow(10);
    settle_in();
    read_commands();
    reply("-NOGROUP No such key 't' or consumer group 'g'\r\n");
    EXPECT_THAT(read_commands(), HasSubstr("XGROUP CREATE t g 0 MKSTREAM; XREADGROUP"));
    EXPECT_EQ(death, "");
}

TEST_F(redis_consumer, gives_up_on_what_retrying_cannot_mend) {
    consumer.allow(10);
    settle_in();
    read_commands();
    reply("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    EXPECT_THAT(death, HasSubstr("WRONGTYPE"));
}

TEST_F(redis_consumer, a_message_without_an_id_gets_the_first_word_of_its_payload_or_the_brokers_name) {
    consumer.allow(10);
    settle_in();
    read_commands();
    reply("*1\r\n*2\r\n" + bulk("t") + "*2\r\n*2\r\n" + bulk("1-0") + "*2\r\n" + bulk("m") +
          bulk("k3x9q2m7ab1c-03-0000001234 rest") + "*2\r\n" + bulk("2-0") + "*2\r\n" + bulk("m") + bulk("hello"));
    EXPECT_THAT(got, ElementsAre("k3x9q2m7ab1c-03-0000001234", "2-0"));
}

TEST_F(redis_consumer, acknowledges_away_a_pending_entry_whose_content_is_gone) {
    consumer.allow(10);
    connect();
    read_commands();
    reply("+OK\r\n*1\r\n*2\r\n" + bulk("t") + "*1\r\n*2\r\n" + bulk("1-0") + "*-1\r\n");
    EXPECT_THAT(got, IsEmpty());
    EXPECT_EQ(sent(acker), "XACK t g 1-0");
    EXPECT_EQ(consumer.dropped_by_broker(), 1U);

    // It takes no tag: those of the application follow each other.
    read_commands();
    reply(entries({entry("2-0", "a")}));
    EXPECT_THAT(got, ElementsAre("a again"));
    EXPECT_EQ(last_tag, 0U);
    const std::uint64_t tag = 0;
    consumer.ack({&tag, 1});
    EXPECT_EQ(sent(acker), "XACK t g 2-0");
    EXPECT_FALSE(answer(acker, ":1\r\n:1\r\n", now));
    EXPECT_THAT(confirmed, ElementsAre(0));
}

}  // namespace
}  // namespace headrace::mq
