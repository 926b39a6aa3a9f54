#include <gmock/gmock.h>

#include <headrace/redis/subscriptions.hpp>

#include "scripted_peer.hpp"

namespace headrace::redis {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using log = std::vector<std::string>;

value push(const std::vector<std::string>& words) {
    value v;
    v.type = value::kind::array;
    for (const auto& word : words) v.items.push_back({value::kind::string, word, 0, {}});
    return v;
}

TEST(redis_subscriptions, is_complete_when_the_server_confirmed_what_is_wanted) {
    subscriptions s;
    EXPECT_TRUE(s.complete());
    s.want(false, {"a", "b"});
    s.want(true, {"p*"});
    EXPECT_FALSE(s.complete());
    EXPECT_FALSE(s.on_push(push({"subscribe", "a", "1"})));
    EXPECT_FALSE(s.on_push(push({"subscribe", "b", "2"})));
    EXPECT_FALSE(s.complete());
    EXPECT_FALSE(s.on_push(push({"psubscribe", "p*", "3"})));
    EXPECT_TRUE(s.complete());
    EXPECT_THAT(s.drop(false, {"a", "never"}), ElementsAre("a"));
    EXPECT_FALSE(s.complete());
    EXPECT_FALSE(s.on_push(push({"unsubscribe", "a", "2"})));
    EXPECT_TRUE(s.complete());
    EXPECT_THAT(s.drop(true, {}), ElementsAre("p*"));
    EXPECT_FALSE(s.on_push(push({"punsubscribe", "p*", "1"})));
    EXPECT_TRUE(s.complete());
}

TEST(redis_subscriptions, tells_messages_from_everything_else) {
    subscriptions s;
    const auto plain = s.on_push(push({"message", "a", "text"}));
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->channel + "|" + plain->pattern + "|" + plain->payload, "a||text");
    const auto matched = s.on_push(push({"pmessage", "p*", "pp", "text"}));
    ASSERT_TRUE(matched);
    EXPECT_EQ(matched->channel + "|" + matched->pattern + "|" + matched->payload, "pp|p*|text");
    EXPECT_FALSE(s.on_push(push({"pong", ""})));
    EXPECT_FALSE(s.on_push(push({"pmessage", "p*", "pp"})));
    EXPECT_FALSE(s.on_push(value{value::kind::status, "PONG", 0, {}}));
}

TEST(redis_subscriptions, a_new_connection_has_confirmed_nothing) {
    subscriptions s;
    s.want(false, {"a"});
    s.on_push(push({"subscribe", "a", "1"}));
    s.on_lost();
    EXPECT_FALSE(s.complete());
    EXPECT_THAT(s.wanted(false), ElementsAre("a"));
}

TEST(redis_session, pushes_go_to_their_handler_and_a_silent_peer_is_noticed) {
    session s({});
    const auto h = std::make_shared<logging_handler>();
    s.take_pushes(h);
    bring_up(s);
    s.commands().append("SUBSCRIBE a");
    s.expect_pushes();
    EXPECT_EQ(write_all(s, 1s), "SUBSCRIBE a");
    EXPECT_EQ(s.commands().released(), s.commands().sent());
    EXPECT_FALSE(answer(s, "*2\r\n$1\r\nx\r\n:1\r\n*1\r\n$1\r\ny\r\n", 2s));
    EXPECT_EQ(h->log, (log{"begin", "*2", "$x", ":1", "done", "begin", "*1", "$y", "done"}));
    EXPECT_FALSE(s.on_tick(11s));
    EXPECT_TRUE(s.on_tick(13s));
    s.commands().append("lost with the connection");
    s.expect_pushes();
    s.on_lost(failure::of(errc::connection_failed, "gone"));
    bring_up(s, 20s);
    EXPECT_EQ(write_all(s, 20s), "");
}

}  // namespace
}  // namespace headrace::redis
