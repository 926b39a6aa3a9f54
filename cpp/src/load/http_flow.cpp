// http_worker: the way of one request, from its beginning to its place in the books.
#include <algorithm>

#include "http_worker.hpp"

namespace headrace::load {
namespace {

// Loopback has 2^24 addresses; each has its own local ports.
constexpr unsigned max_sources = 64;

bool another_address_may_do(outcome how) noexcept {
    return how == outcome::refused || how == outcome::unreachable || how == outcome::reset ||
           how == outcome::tls_failed;
}

std::string_view hint_for(outcome how) noexcept {
    switch (how) {
        case outcome::refused: return "is the server running, and is this its port?";
        case outcome::tls_failed: return "name the authority with --ca-file, or do not verify with --insecure";
        case outcome::bad_response: return "is this a server of HTTP/1.1, and does it speak TLS (https://)?";
        case outcome::no_ports: return "use keep-alive, or fewer new connections per second";
        case outcome::no_descriptors: return "raise the limit with ulimit -n, or use fewer users";
        default: return "is this the right address?";
    }
}

}  // namespace

void http_worker::begin(std::uint32_t index, const http_request& request, ns intended, ns now, bool waited) {
    auto& s = slots_[index];
    s.request = &request;
    s.intended = intended;
    s.sent = now;
    s.tried = 0;
    s.retried = false;
    ++begun_;
    tally_.begun(intended, now, waited);
    link(index);
    follow(index, s.connection.idle() ? s.connection.send(io_, request) : open(index));
}

// When the local ports of one loopback address are used up, those of another are not.
http_worker::step http_worker::open(std::uint32_t index) {
    auto& s = slots_[index];
    const auto& origin = shared_.plan.origins[s.request->origin];
    const auto& addresses = shared_.addresses[s.request->origin];
    const auto& to = addresses[s.address % addresses.size()];
    for (unsigned attempt = 0;; ++attempt) {
        const auto key = static_cast<std::uint64_t>(++s.generation) << 32 | index;
        const unsigned source = to.loopback_v4() ? source_ : 0;
        const auto result = s.connection.open_and_send(io_, *s.request, origin, to, source, key);
        const bool used_up = result == step::failed && s.connection.how() == outcome::no_ports && to.loopback_v4();
        if (!used_up || attempt == max_sources) return result;
        source_ = source_ == 0 ? 2 : source_ % max_sources + 1;
        tally_.counts().sources = std::max<std::uint64_t>(tally_.counts().sources, source_);
    }
}

void http_worker::follow(std::uint32_t index, step result) {
    for (;;) {
        switch (result) {
            case step::waiting: return;
            case step::more: more_to_read_.push_back(index); return;
            case step::complete: settle(index, slots_[index].connection.how()); return;
            case step::failed: break;
        }
        if (!worth_another_try(index)) {
            settle(index, slots_[index].connection.how());
            return;
        }
        result = open(index);
    }
}

bool http_worker::worth_another_try(std::uint32_t index) {
    auto& s = slots_[index];
    const auto how = s.connection.how();
    if (s.connection.connecting()) {
        const auto addresses = shared_.addresses[s.request->origin].size();
        if (!another_address_may_do(how) || s.tried + 1 >= addresses) return false;
        ++s.tried;
        ++s.address;
        ++tally_.counts().address_failures;
        return true;
    }
    // A server may close an idle connection at any moment, also just now (RFC 9112, section 9.3.1).
    const bool closed_while_idle = s.connection.was_stale() && (how == outcome::closed || how == outcome::reset);
    if (!closed_while_idle || s.retried || !s.request->repeatable) return false;
    s.retried = true;
    ++tally_.counts().retried;
    return true;
}

void http_worker::settle(std::uint32_t index, outcome how) {
    auto& s = slots_[index];
    const ns now = monotonic_now();
    const http_tally::exchange done{s.intended, s.sent, now, how, s.connection.status(), s.connection.bytes()};
    unlink(index);
    tally_.ended(done);
    rows_.record(done, s.request->display);
    if (how != outcome::ok) note(s, how, now);
    answered_ = answered_ || !no_answer(how);
    s.failures = no_answer(how) ? static_cast<std::uint8_t>(std::min(s.failures + 1, 100)) : std::uint8_t{0};
    if (schedule_) {
        (s.connection.closed() ? unused_ : idle_[s.request->origin]).push_back(index);
        return;
    }
    const auto who = static_cast<std::uint32_t>(index / shared_.plan.origins.size());
    const ns when = pause_until(s, how, now);
    if (when == now) {
        ready_.push_back({now, who});
    } else {
        appointments_.push({when, who});
    }
}

// The first failure of each kind in words; and the end of the load when nothing was ever answered.
void http_worker::note(const slot& s, outcome how, ns now) {
    auto& sample = samples_[static_cast<std::size_t>(how)];
    if (sample.empty()) {
        const auto& addresses = shared_.addresses[s.request->origin];
        sample = s.request->display + " (" + addresses[s.address % addresses.size()].display() + "): ";
        sample += how == outcome::bad_status ? "status " + std::to_string(s.connection.status()) : text_of(how);
        const bool said = how == outcome::refused || how == outcome::reset || how == outcome::timed_out;
        if (no_answer(how) && !said && !s.connection.detail().empty()) {
            sample += ": " + s.connection.detail();
        }
    }
    if (answered_ || !no_answer(how) || how == outcome::timed_out) return;
    ++unanswered_;
    const ns since = now - shared_.start;
    using std::chrono::seconds;
    if ((since < seconds{1} || unanswered_ < 20) && (since < seconds{3} || unanswered_ < 3)) return;
    unanswered_ = 0;
    shared_.fail(failure::of(errc::connection_failed,
                             "no request has been answered: " + sample + "; " + std::string(hint_for(how))));
}

void http_worker::expire(ns now) {
    while (oldest_ != none && slots_[oldest_].sent + options_.timeout <= now) {
        const auto index = oldest_;
        slots_[index].connection.close();
        settle(index, outcome::timed_out);
    }
}

// All requests have the same timeout, so the list by beginning is the list by deadline.
void http_worker::link(std::uint32_t index) noexcept {
    auto& s = slots_[index];
    s.before = youngest_;
    s.after = none;
    (youngest_ == none ? oldest_ : slots_[youngest_].after) = index;
    youngest_ = index;
}

void http_worker::unlink(std::uint32_t index) noexcept {
    const auto& s = slots_[index];
    (s.before == none ? oldest_ : slots_[s.before].after) = s.after;
    (s.after == none ? youngest_ : slots_[s.after].before) = s.before;
}

}  // namespace headrace::load
