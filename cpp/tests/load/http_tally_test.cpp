#include <gtest/gtest.h>

#include <headrace/load/http_tally.hpp>

namespace headrace::load {
namespace {

using namespace std::chrono_literals;

// Begun and ended in one go.
void request(http_tally& t, ns intended, ns sent, ns end, outcome how = outcome::ok, unsigned status = 200) {
    t.begun(intended, sent, false);
    t.ended({.intended = intended, .sent = sent, .end = end, .how = how, .status = status, .bytes = 10});
}

class a_window_from_1s_to_3s : public testing::Test {
protected:
    http_tally tally{1s, 3s};
    const http_counts& counts = tally.counts();
};

TEST_F(a_window_from_1s_to_3s, puts_each_request_in_one_place_by_its_end) {
    request(tally, 500ms, 500ms, 900ms);                               // warm-up
    request(tally, 500ms, 500ms, 900ms, outcome::bad_status, 500);     // warm-up, failed
    request(tally, 900ms, 900ms, 1100ms);                              // ok
    request(tally, 1200ms, 1200ms, 1300ms, outcome::bad_status, 500);  // failed
    request(tally, 2900ms, 2900ms, 3100ms);                            // late_ok
    request(tally, 2950ms, 2950ms, 3100ms, outcome::closed, 0);        // late_failed
    tally.begun(2990ms, 2990ms, false);
    tally.abandoned(2990ms, 2990ms, 4s, true);  // unfinished
    EXPECT_EQ(counts.warm_up, 2U);
    EXPECT_EQ(counts.warm_up_failed, 1U);
    EXPECT_EQ(counts.ok, 1U);
    EXPECT_EQ(counts.failed, 1U);
    EXPECT_EQ(counts.late_ok, 1U);
    EXPECT_EQ(counts.late_failed, 1U);
    EXPECT_EQ(counts.unfinished, 1U);
    EXPECT_EQ(counts.in_flight, 0U);
    EXPECT_EQ(counts.begun, 4U);  // meant to start within the window
    EXPECT_EQ(counts.bytes, 20U);
    EXPECT_EQ(counts.statuses[2], 1U);
    EXPECT_EQ(counts.statuses[5], 1U);
}

TEST_F(a_window_from_1s_to_3s, keeps_slow_requests_in_the_tail) {
    request(tally, 1s, 1s, 1010ms);
    request(tally, 1s, 1s, 2500ms, outcome::timed_out, 0);
    request(tally, 2900ms, 2900ms, 3900ms);  // ended after the window
    tally.begun(2900ms, 2900ms, false);
    tally.abandoned(2900ms, 2900ms, 5900ms, true);
    tally.unsent(2s, 6s, true);
    const auto h = tally.histograms();
    EXPECT_EQ(h.response.count(), 5U);
    EXPECT_EQ(h.response.max(), ns{4s}.count());
    EXPECT_NEAR(static_cast<double>(h.response.percentile(40)), 1e9, 1e6);
}

TEST_F(a_window_from_1s_to_3s, leaves_latencies_of_failures_and_of_the_warm_up_out) {
    request(tally, 900ms, 900ms, 1100ms);
    request(tally, 1s, 1s, 1001ms, outcome::refused, 0);
    request(tally, 1s, 1s, 1001ms, outcome::bad_status, 503);
    EXPECT_EQ(tally.histograms().response.count(), 0U);
}

TEST_F(a_window_from_1s_to_3s, counts_response_from_the_intended_time_and_service_from_the_real_one) {
    request(tally, 1s, 1500ms, 1600ms);
    request(tally, 1s, 1s, 1050ms);
    const auto h = tally.histograms();
    EXPECT_EQ(h.response.max(), ns{600ms}.count());
    EXPECT_EQ(h.service.max(), ns{100ms}.count());
    EXPECT_EQ(h.service.count(), 2U);
    EXPECT_EQ(h.lateness.max(), ns{500ms}.count());
}

TEST_F(a_window_from_1s_to_3s, waiting_for_a_connection_is_not_the_generators_lateness) {
    tally.begun(1s, 2s, true);
    EXPECT_EQ(counts.waited, 1U);
    EXPECT_EQ(tally.histograms().lateness.total(), 0U);
}

TEST_F(a_window_from_1s_to_3s, adds_up_time_in_flight_within_it) {
    request(tally, 0s, 0s, 2s);
    request(tally, 2s, 2s, 5s);
    request(tally, 0s, 0s, 500ms);
    EXPECT_EQ(counts.busy, 2s);
}

TEST_F(a_window_from_1s_to_3s, has_a_row_per_second) {
    request(tally, 1s, 1s, 1100ms);
    request(tally, 1s, 1s, 2999ms);
    request(tally, 2s, 2s, 2200ms, outcome::closed, 0);
    ASSERT_EQ(tally.seconds().size(), 2U);
    EXPECT_EQ(tally.seconds()[0].ok, 1U);
    EXPECT_EQ(tally.seconds()[1].ok, 1U);
    EXPECT_EQ(tally.seconds()[1].failed, 1U);
    EXPECT_EQ(tally.seconds()[1].longest, 1999ms);
}

TEST_F(a_window_from_1s_to_3s, may_be_cut_short) {
    tally.end_window(2s);
    tally.end_window(5s);
    request(tally, 1s, 1s, 2500ms);
    EXPECT_EQ(counts.late_ok, 1U);
    tally.unsent(2500ms, 3s, true);
    EXPECT_EQ(counts.unsent, 0U) << "it was not due within the window";
}

TEST(http_tally, an_interruption_records_no_latency_of_what_it_cut_off) {
    http_tally tally(0s, ns::max());
    tally.begun(1s, 1s, false);
    tally.end_window(2s);
    tally.abandoned(1s, 1s, 2s, false);
    EXPECT_EQ(tally.counts().unfinished, 1U);
    EXPECT_EQ(tally.histograms().response.total(), 0U);
}

TEST(http_counts, add_up_and_keep_the_latest_moment) {
    http_counts a{.ok = 1, .last_end = 5s};
    http_counts b{.ok = 2, .last_end = 3s};
    a.outcomes[0] = 1;
    b.outcomes[0] = 2;
    a.add(b);
    EXPECT_EQ(a.ok, 3U);
    EXPECT_EQ(a.outcomes[0], 3U);
    EXPECT_EQ(a.last_end, 5s);
}

TEST(outcome, has_a_name_and_words_for_each) {
    for (std::size_t i = 0; i < outcome_count; ++i) {
        EXPECT_FALSE(name_of(static_cast<outcome>(i)).empty());
        EXPECT_FALSE(text_of(static_cast<outcome>(i)).empty());
    }
    EXPECT_EQ(outcome_of_errno(ECONNREFUSED), outcome::refused);
    EXPECT_EQ(outcome_of_errno(EADDRNOTAVAIL), outcome::no_ports);
    EXPECT_EQ(outcome_of_errno(EMFILE), outcome::no_descriptors);
    EXPECT_EQ(outcome_of_errno(EPIPE), outcome::reset);
    EXPECT_EQ(outcome_of_errno(EIO), outcome::other_error);
    EXPECT_FALSE(no_answer(outcome::bad_body));
    EXPECT_TRUE(no_answer(outcome::timed_out));
}

}  // namespace
}  // namespace headrace::load
