#include <gmock/gmock.h>

#include "scripted_peer.hpp"

namespace headrace::redis {
namespace {

using namespace std::chrono_literals;
using log = std::vector<std::string>;
using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<logging_handler> send(session& s, std::string_view command, when_lost policy = when_lost::fail,
                                      ns deadline = session::no_deadline, std::uint32_t replies = 1) {
    auto handler = std::make_shared<logging_handler>();
    s.commands().append(command);
    s.expect_reply(handler, deadline, policy, replies);
    return handler;
}

TEST(redis_session, greets_with_all_that_was_configured_in_one_write) {
    session_options o;
    o.user = "me";
    o.password = "secret";
    o.db = 3;
    o.client_name = "probe";
    session s(o);
    s.on_connected(0ns);
    EXPECT_EQ(write_all(s),
              "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
              "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$5\r\nprobe\r\n*1\r\n$4\r\nPING\r\n");
    EXPECT_FALSE(answer(s, "+OK\r\n+OK\r\n+OK\r\n"));
    EXPECT_EQ(s.current(), session::state::greeting);
    EXPECT_FALSE(answer(s, "+PONG\r\n"));
    EXPECT_EQ(s.current(), session::state::ready);
}

TEST(redis_session, holds_commands_back_until_the_greeting_is_answered) {
    session s({});
    const auto h = send(s, "one");
    s.on_connected(0ns);
    EXPECT_EQ(write_all(s), "*1\r\n$4\r\nPING\r\n");
    EXPECT_FALSE(answer(s, "+PONG\r\n"));
    EXPECT_EQ(write_all(s), "one");
    EXPECT_FALSE(answer(s, ":7\r\n"));
    EXPECT_EQ(h->log, (log{"begin", ":7", "done"}));
}

TEST(redis_session, tells_a_wrong_password_from_a_server_that_is_still_loading) {
    session refused({}), loading({}), bad_db({.db = 99});
    refused.on_connected(0ns);
    EXPECT_EQ(answer(refused, "-NOAUTH Authentication required.\r\n").code, errc::authentication_failed);
    loading.on_connected(0ns);
    EXPECT_EQ(answer(loading, "-LOADING Redis is loading the dataset in memory\r\n").code, errc::connection_failed);
    bad_db.on_connected(0ns);
    const auto why = answer(bad_db, "-ERR DB index is out of range\r\n+PONG\r\n");
    EXPECT_EQ(why.code, errc::server_error);
    EXPECT_THAT(why.message, HasSubstr("SELECT 99"));
}

TEST(redis_session, merges_waiting_commands_into_one_write_and_matches_replies_in_order) {
    session s({});
    bring_up(s);
    const auto a = send(s, "a");
    const auto b = send(s, "b");
    EXPECT_EQ(write_all(s), "ab");
    EXPECT_FALSE(answer(s, "$1\r\nA\r\n*2\r\n:1\r\n$-1\r\n"));
    EXPECT_EQ(a->log, (log{"begin", "$A", "done"}));
    EXPECT_EQ(b->log, (log{"begin", "*2", ":1", "nil", "done"}));
}

TEST(redis_session, reads_replies_split_at_every_byte) {
    const std::string replies = "*2\r\n$3\r\nabc\r\n*1\r\n:5\r\n-ERR x\r\n";
    for (std::size_t cut = 0; cut <= replies.size(); ++cut) {
        session s({});
        bring_up(s);
        const auto a = send(s, "a");
        const auto b = send(s, "b");
        write_all(s);
        EXPECT_FALSE(answer(s, std::string_view(replies).substr(0, cut)));
        EXPECT_FALSE(answer(s, std::string_view(replies).substr(cut)));
        EXPECT_EQ(a->log, (log{"begin", "*2", "$abc", "*1", ":5", "done"})) << cut;
        EXPECT_EQ(b->log, (log{"begin", "-ERR x", "done"})) << cut;
    }
}

TEST(redis_session, a_lost_connection_fails_what_was_sent_and_keeps_what_was_not) {
    session s({});
    bring_up(s);
    const auto sent = send(s, "sent");
    write_all(s);
    const auto waiting = send(s, "waiting");
    s.on_lost(failure::of(errc::connection_failed, "reset"));
    EXPECT_EQ(sent->log, (log{"lost: no answer: it may have been executed"}));
    EXPECT_TRUE(waiting->log.empty());
    bring_up(s);
    EXPECT_EQ(write_all(s), "waiting");
}

TEST(redis_session, replays_what_may_run_twice_in_its_old_order) {
    session s({});
    bring_up(s);
    const auto first = send(s, "first,", when_lost::replay);
    const auto once = send(s, "once,", when_lost::fail);
    const auto second = send(s, "second,", when_lost::replay);
    write_all(s);
    EXPECT_FALSE(answer(s, "*2\r\n:1\r\n"));  // half of the first reply
    s.on_lost(failure::of(errc::connection_failed, "reset"));
    EXPECT_EQ(once->log.back(), "lost: no answer: it may have been executed");
    bring_up(s);
    EXPECT_EQ(write_all(s), "first,second,");
    EXPECT_EQ(s.replayed(), 2U);
    EXPECT_FALSE(answer(s, "+1\r\n+2\r\n"));
    EXPECT_EQ(first->log, (log{"begin", "*2", ":1", "begin", "+1", "done"}));
    EXPECT_EQ(second->log, (log{"begin", "+2", "done"}));
}

TEST(redis_session, a_request_of_several_replies_is_done_with_the_last_and_replayed_whole) {
    session s({});
    bring_up(s);
    const auto h = send(s, "MULTI..EXEC", when_lost::replay, session::no_deadline, 2);
    write_all(s);
    EXPECT_FALSE(answer(s, "+OK\r\n"));
    EXPECT_EQ(h->log, (log{"begin", "+OK"}));
    s.on_lost(failure::of(errc::connection_failed, "reset"));
    bring_up(s);
    EXPECT_EQ(write_all(s), "MULTI..EXEC");
    EXPECT_FALSE(answer(s, "+OK\r\n*0\r\n"));
    EXPECT_EQ(h->log, (log{"begin", "+OK", "begin", "+OK", "begin", "*0", "done"}));
}

TEST(redis_session, a_deadline_without_a_connection_means_that_it_was_never_sent) {
    session s({});
    const auto h = send(s, "x", when_lost::fail, 5s);
    EXPECT_EQ(s.next_tick(), 5s);
    EXPECT_FALSE(s.on_tick(4s));
    EXPECT_TRUE(h->log.empty());
    EXPECT_FALSE(s.on_tick(5s));
    EXPECT_EQ(h->log, (log{"lost: deadline passed before it was sent"}));
    bring_up(s);
    EXPECT_EQ(write_all(s), "");
}

TEST(redis_session, a_late_reply_goes_to_nobody_and_the_next_one_to_its_owner) {
    session s({});
    bring_up(s);
    const auto slow = send(s, "slow", when_lost::fail, 1s);
    const auto next = send(s, "next", when_lost::fail, 9s);
    write_all(s);
    EXPECT_FALSE(answer(s, "", 500ms));
    s.on_tick(1s);
    EXPECT_EQ(slow->log, (log{"lost: no answer: it may have been executed"}));
    EXPECT_FALSE(answer(s, "$4\r\nlate\r\n:2\r\n", 1100ms));
    EXPECT_EQ(slow->log.size(), 1U);
    EXPECT_EQ(next->log, (log{"begin", ":2", "done"}));
}

TEST(redis_session, severs_a_peer_that_owes_replies_and_is_silent) {
    session s({.silence_limit = 3s});
    bring_up(s, 10s);
    EXPECT_EQ(s.next_tick(), session::no_deadline);  // nothing owed, nothing to wait for
    const auto h = send(s, "x", when_lost::replay);
    write_all(s, 20s);
    EXPECT_FALSE(s.on_tick(22s));
    EXPECT_TRUE(s.on_tick(23s));
}

TEST(redis_session, a_reply_to_no_command_is_a_protocol_error) {
    session s({});
    bring_up(s);
    EXPECT_EQ(answer(s, "+surprise\r\n").code, errc::protocol_error);
    session t({});
    bring_up(t);
    EXPECT_EQ(answer(t, "what?").code, errc::protocol_error);
}

TEST(redis_session, giving_up_fails_everything_exactly_once) {
    session s({});
    bring_up(s);
    const auto sent = send(s, "a", when_lost::replay);
    write_all(s);
    const auto waiting = send(s, "b");
    s.on_given_up(failure::of(errc::closed, "closed"));
    EXPECT_EQ(sent->log, (log{"lost: no answer: it may have been executed"}));
    EXPECT_EQ(waiting->log, (log{"lost: closed"}));
    EXPECT_EQ(s.pending(), 0U);
}

// The late reply of an expired command may have been read in part when its caller goes.
TEST(redis_session, a_caller_that_goes_in_the_middle_of_its_reply_hears_nothing_more) {
    session s({});
    bring_up(s);
    auto a = std::make_shared<logging_handler>();
    s.commands().append("a");
    s.expect_reply(a, 5ms, when_lost::fail);
    const auto b = send(s, "b");
    write_all(s);
    EXPECT_FALSE(answer(s, "*2\r\n:1\r\n", 1ms));
    s.on_tick(6ms);
    EXPECT_EQ(a->log, (log{"begin", "*2", ":1", "lost: " + make_error_code(errc::maybe_executed).message()}));
    EXPECT_EQ(a.use_count(), 1);
    a.reset();
    EXPECT_FALSE(answer(s, ":2\r\n:3\r\n", 7ms));
    EXPECT_EQ(b->log, (log{"begin", ":3", "done"}));
}

struct held_commands : testing::Test {
    std::shared_ptr<logging_handler> hold(std::string_view command) {
        auto handler = std::make_shared<logging_handler>();
        s.commands().append(command);
        s.expect_held_reply(handler);
        return handler;
    }
    session s{session_options{}};
};

TEST_F(held_commands, leave_when_they_are_released_and_not_before) {
    bring_up(s);
    const auto a = hold("a"), b = hold("b");
    hold("c");
    EXPECT_EQ(write_all(s), "");
    s.release(2);
    EXPECT_EQ(write_all(s), "ab");
    EXPECT_EQ(s.held(), 1U);
    EXPECT_FALSE(answer(s, "+1\r\n+2\r\n"));
    EXPECT_EQ(a->log, (log{"begin", "+1", "done"}));
    EXPECT_EQ(b->log, (log{"begin", "+2", "done"}));
    EXPECT_EQ(answer(s, "+3\r\n").code, errc::protocol_error) << "a held command is not owed a reply";
    s.release(100);
    EXPECT_EQ(write_all(s), "c");
}

TEST_F(held_commands, go_before_an_ordinary_command_that_follows_them) {
    bring_up(s);
    hold("a");
    send(s, "b");
    EXPECT_EQ(write_all(s), "ab");
    EXPECT_EQ(s.held(), 0U);
}

TEST_F(held_commands, stay_held_when_the_connection_is_lost) {
    bring_up(s);
    send(s, "lost");
    const auto sent = hold("sent");
    const auto kept = hold("kept");
    s.release(1);
    EXPECT_EQ(write_all(s), "lostsent");
    s.on_lost(failure::of(errc::connection_failed, "reset"));
    bring_up(s);
    EXPECT_EQ(write_all(s), "sent");
    EXPECT_FALSE(answer(s, "+1\r\n"));
    s.release(1);
    EXPECT_EQ(write_all(s), "kept");
    EXPECT_FALSE(answer(s, "+2\r\n"));
    EXPECT_EQ(sent->log, (log{"begin", "+1", "done"}));
    EXPECT_EQ(kept->log, (log{"begin", "+2", "done"}));
    EXPECT_EQ(s.replayed(), 1U);
}

TEST_F(held_commands, fail_as_never_sent_when_nobody_connects_again) {
    bring_up(s);
    const auto a = hold("a");
    s.on_given_up(failure::of(errc::closed, "closed"));
    EXPECT_EQ(a->log, (log{"lost: " + make_error_code(errc::closed).message()}));
    EXPECT_EQ(s.held(), 0U);
}

}  // namespace
}  // namespace headrace::redis
