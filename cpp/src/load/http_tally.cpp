#include <algorithm>
#include <headrace/load/http_tally.hpp>

namespace headrace::load {
namespace {

constexpr std::size_t max_seconds = 7 * 24 * 3600;  // a week; what comes later is added to the last one

}  // namespace

void http_counts::add(const http_counts& o) noexcept {
    begun += o.begun;
    unsent += o.unsent;
    warm_up += o.warm_up;
    warm_up_failed += o.warm_up_failed;
    ok += o.ok;
    failed += o.failed;
    late_ok += o.late_ok;
    late_failed += o.late_failed;
    unfinished += o.unfinished;
    in_flight += o.in_flight;
    waited += o.waited;
    bytes += o.bytes;
    bytes_in += o.bytes_in;
    bytes_out += o.bytes_out;
    connects += o.connects;
    retried += o.retried;
    address_failures += o.address_failures;
    sources = std::max(sources, o.sources);
    for (std::size_t i = 0; i < statuses.size(); ++i) statuses[i] += o.statuses[i];
    for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += o.outcomes[i];
    busy += o.busy;
    last_end = std::max(last_end, o.last_end);
}

void http_histograms::merge(const http_histograms& other) noexcept {
    response.merge(other.response);
    service.merge(other.service);
    connect.merge(other.connect);
    lateness.merge(other.lateness);
}

void http_tally::begun(ns intended, ns sent, bool waited) noexcept {
    ++counts_.in_flight;
    if (!measured(intended)) return;
    ++counts_.begun;
    if (waited) {
        ++counts_.waited;
    } else if (intended != sent) {
        lateness_.record((sent - intended).count());
    }
}

void http_tally::ended(const exchange& e) {
    --counts_.in_flight;
    add_busy(e.sent, e.end);
    const bool ok = e.how == outcome::ok;
    if (e.end < begin_) {
        ++counts_.warm_up;
        if (!ok) ++counts_.warm_up_failed;
        return;
    }
    ++counts_.outcomes[static_cast<std::size_t>(e.how)];
    if (e.end > end_) {
        ++(ok ? counts_.late_ok : counts_.late_failed);
    } else {
        ++(ok ? counts_.ok : counts_.failed);
        counts_.bytes += e.bytes;
        counts_.last_end = std::max(counts_.last_end, e.end);
        if (e.status != 0) ++counts_.statuses[e.status / 100];
        auto& second = second_of(e.end);
        ++(ok ? second.ok : second.failed);
        second.bytes += e.bytes;
        second.longest = std::max(second.longest, e.end - e.intended);
    }
    if (measured(e.intended) && (ok || e.how == outcome::timed_out)) record(e.intended, e.sent, e.end);
}

void http_tally::abandoned(ns intended, ns sent, ns now, bool keep) noexcept {
    --counts_.in_flight;
    ++counts_.unfinished;
    add_busy(sent, now);
    if (keep && measured(intended)) record(intended, sent, now);
}

void http_tally::unsent(ns intended, ns now, bool keep) noexcept {
    if (!measured(intended)) return;
    ++counts_.unsent;
    if (keep) late_response_.record((now - intended).count());
}

void http_tally::connected(ns begin, ns end) noexcept {
    ++counts_.connects;
    if (begin >= begin_ && begin <= end_) connect_.record((end - begin).count());
}

void http_tally::record(ns intended, ns sent, ns end) noexcept {
    if (intended == sent) {
        on_time_.record((end - sent).count());
        return;
    }
    late_response_.record((end - intended).count());
    late_service_.record((end - sent).count());
}

void http_tally::add_busy(ns from, ns to) noexcept {
    from = std::max(from, begin_);
    to = std::min(to, end_);
    if (to > from) counts_.busy += to - from;
}

http_second& http_tally::second_of(ns t) {
    const auto index = static_cast<std::size_t>(std::chrono::floor<std::chrono::seconds>(t - begin_).count());
    const auto at = std::min(index, max_seconds - 1);
    if (at >= seconds_.size()) seconds_.resize(at + 1);
    return seconds_[at];
}

measure::histogram http_tally::responses() const {
    auto all = on_time_;
    all.merge(late_response_);
    return all;
}

http_histograms http_tally::histograms() const {
    http_histograms h{responses(), on_time_, connect_, lateness_};
    h.service.merge(late_service_);
    return h;
}

}  // namespace headrace::load
