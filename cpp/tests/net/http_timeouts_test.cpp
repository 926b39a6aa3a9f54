#include <gtest/gtest.h>

#include "../../src/net/http_out_queue.hpp"
#include "../../src/net/http_timeouts.hpp"

namespace headrace::net::http {
namespace {

using namespace std::chrono_literals;

std::array<ns, phases> periods() {
    std::array<ns, phases> p{};
    p[static_cast<std::size_t>(phase::header)] = 10ns;
    p[static_cast<std::size_t>(phase::idle)] = 100ns;
    return p;
}

TEST(http_timeouts, the_next_due_is_the_earliest_of_all_phases) {
    timeouts t(periods());
    timeout_entry a, b, c;
    EXPECT_EQ(t.next_due(), timeouts::never);
    t.enter(a, phase::idle, 0ns);
    t.enter(b, phase::header, 50ns);
    t.enter(c, phase::working, 0ns);
    EXPECT_EQ(t.next_due(), 60ns);
    EXPECT_EQ(t.expired(59ns), nullptr);
    EXPECT_EQ(t.expired(60ns), &b);
    t.remove(b);
    EXPECT_EQ(t.next_due(), 100ns);
    t.enter(a, phase::idle, 30ns);
    EXPECT_EQ(t.next_due(), 130ns) << "entering anew starts the period again";
    t.remove(a);
    t.remove(a);
    EXPECT_EQ(t.next_due(), timeouts::never) << "a phase of period 0 is never due";
    t.remove(c);
}

TEST(http_timeouts, for_each_lets_the_visitor_remove_what_it_is_given) {
    timeouts t(periods());
    std::array<timeout_entry, 5> entries;
    for (auto& e : entries) t.enter(e, phase::idle, 0ns);
    int seen = 0;
    t.for_each([&](timeout_entry& e) {
        ++seen;
        t.remove(e);
    });
    EXPECT_EQ(seen, 5);
    EXPECT_EQ(t.next_due(), timeouts::never);
}

std::string all(out_queue& q) {
    std::array<std::string_view, 16> pieces;
    std::string text;
    for (std::size_t i = 0, n = q.gather(pieces); i < n; ++i) text += pieces[i];
    return text;
}

TEST(http_out_queue, merges_small_pieces_and_keeps_the_order_of_all) {
    out_queue q;
    q.append(std::string_view("a"));
    q.append(std::string_view("b"));
    q.append(std::string(20'000, 'L'));
    q.append(std::make_shared<const std::string>("shared"));
    q.append(std::string_view("c"));
    EXPECT_EQ(all(q), "ab" + std::string(20'000, 'L') + "sharedc");
    EXPECT_EQ(q.size(), 2U + 20'000 + 6 + 1);
    q.consume(1 + 20'000);
    EXPECT_EQ(all(q), "Lsharedc");
    q.consume(8);
    EXPECT_TRUE(q.empty());
    EXPECT_EQ(all(q), "");
}

TEST(http_out_queue, what_a_write_refers_to_stays_where_it_is) {
    out_queue q;
    q.append(std::string_view("first"));
    std::array<std::string_view, 4> pieces;
    ASSERT_EQ(q.gather(pieces), 1U);
    const auto* const address = pieces[0].data();
    for (int i = 0; i < 1000; ++i) q.append(std::string_view("more"));
    EXPECT_EQ(pieces[0], "first");
    q.consume(2);
    q.append(std::string_view("end"));
    ASSERT_GE(q.gather(pieces), 1U);
    EXPECT_EQ(pieces[0].data(), address + 2);
}

}  // namespace
}  // namespace headrace::net::http
