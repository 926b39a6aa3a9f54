#include <algorithm>
#include <cmath>
#include <headrace/http/route_queue.hpp>

namespace headrace::http {
namespace {
constexpr double newest_share = 0.1;  // of the last run in the moving mean
constexpr double most_retry_after = 3600;
}  // namespace

void route_queue::list::push(route_entry& e) noexcept {
    e.previous_ = last;
    e.next_ = nullptr;
    (last != nullptr ? last->next_ : first) = &e;
    last = &e;
}

void route_queue::list::remove(route_entry& e) noexcept {
    (e.previous_ != nullptr ? e.previous_->next_ : first) = e.next_;
    (e.next_ != nullptr ? e.next_->previous_ : last) = e.previous_;
    e.next_ = e.previous_ = nullptr;
}

void route_queue::start(route_entry& e) noexcept {
    e.state_ = route_entry::state::started;
    active_.push(e);
    ++counters_.running;
}

void route_queue::leave(route_entry& e) noexcept {
    if (e.state_ == route_entry::state::waiting) {
        waiting_.remove(e);
        --counters_.waiting;
    } else {
        active_.remove(e);
        --counters_.running;
    }
    e.state_ = route_entry::state::outside;
}

route_queue::admission route_queue::admit(route_entry& e, ns now, route_entry*& dropped) {
    dropped = nullptr;
    if (!e.detached) ++counters_.requests;
    const bool room = counters_.waiting < options_.max_queue_size;
    const bool free = counters_.running < options_.concurrency && counters_.waiting == 0;
    if (!closed_ && !free && !room && options_.on_full == full_policy::drop_oldest) {
        // Work that was promised is not dropped for a request.
        for (dropped = waiting_.first; dropped != nullptr && dropped->detached; dropped = dropped->next_) {
        }
        if (dropped != nullptr) {
            leave(*dropped);
            dropped->answered_ = true;
            ++counters_.refused;
        }
    }
    if (closed_ || (!free && !room && dropped == nullptr)) {
        if (!e.detached) ++counters_.refused;
        return admission::refuse;
    }
    if (e.detached) ++counters_.detached;
    if (!e.detached && options_.deadline != ns{0}) e.deadline_ = now + options_.deadline;
    if (free) {
        start(e);
        return admission::start;
    }
    e.state_ = route_entry::state::waiting;
    waiting_.push(e);
    ++counters_.waiting;
    return admission::wait;
}

route_entry* route_queue::take_next() noexcept {
    route_entry* const e = waiting_.first;
    if (e == nullptr || counters_.running >= options_.concurrency) return nullptr;
    leave(*e);
    start(*e);
    return e;
}

bool route_queue::begin(route_entry& e, ns now) noexcept {
    if (e.answered_) {
        leave(e);
        return false;
    }
    e.state_ = route_entry::state::running;
    e.began_ = now;
    return true;
}

bool route_queue::finish(route_entry& e, outcome how, ns now) noexcept {
    const bool ran = how == outcome::good || how == outcome::raised;
    if (e.state_ == route_entry::state::running && ran) {
        const double took = std::chrono::duration<double>(now - e.began_).count();
        mean_seconds_ = counters_.finished == 0 ? took : mean_seconds_ + newest_share * (took - mean_seconds_);
    }
    leave(e);
    if (e.detached) {
        ++counters_.detached_finished;
        if (how != outcome::good) ++counters_.failed;
        return false;
    }
    if (ran) ++counters_.finished;
    if (how == outcome::raised) ++counters_.failed;
    if (std::exchange(e.answered_, true)) return false;
    switch (how) {
        case outcome::good:
        case outcome::raised: ++counters_.replied; break;
        case outcome::lost: ++counters_.lost; break;
        case outcome::late: ++counters_.timed_out; break;
        case outcome::refused: ++counters_.refused; break;
    }
    return true;
}

bool route_queue::claim_answer(route_entry& e) noexcept {
    if (e.detached || std::exchange(e.answered_, true)) return false;
    ++counters_.replied;
    return true;
}

route_queue::cancelled route_queue::cancel(route_entry& e) noexcept {
    if (e.state_ == route_entry::state::outside) return cancelled::nothing;
    if (!std::exchange(e.answered_, true)) ++counters_.cancelled;
    if (e.state_ != route_entry::state::waiting) return cancelled::stop;
    leave(e);
    return cancelled::dropped;
}

std::vector<route_queue::expired> route_queue::expire(ns now) {
    std::vector<expired> late;
    for (route_entry *e = waiting_.first, *after = nullptr; e != nullptr; e = after) {
        after = e->next_;
        if (e->deadline_ > now) continue;
        leave(*e);
        late.push_back({e, false});
    }
    for (route_entry* e = active_.first; e != nullptr; e = e->next_) {
        if (!e->answered_ && e->deadline_ <= now) late.push_back({e, true});
    }
    for (const auto& l : late) l.entry->answered_ = true;
    counters_.timed_out += late.size();
    return late;
}

ns route_queue::next_deadline() const noexcept {
    ns earliest = ns::max();
    for (const auto* e = waiting_.first; e != nullptr; e = e->next_) earliest = std::min(earliest, e->deadline_);
    for (const auto* e = active_.first; e != nullptr; e = e->next_) {
        if (!e->answered_) earliest = std::min(earliest, e->deadline_);
    }
    return earliest;
}

std::vector<route_entry*> route_queue::close() {
    closed_ = true;
    std::vector<route_entry*> given_up;
    while (route_entry* const e = waiting_.first) {
        leave(*e);
        if (!e->detached) {
            e->answered_ = true;
            ++counters_.refused;
        }
        given_up.push_back(e);
    }
    return given_up;
}

std::uint64_t route_queue::retry_after() const noexcept {
    const auto ahead = static_cast<double>(counters_.waiting + 1);
    const double seconds = ahead * mean_seconds_ / static_cast<double>(options_.concurrency);
    return static_cast<std::uint64_t>(std::clamp(std::ceil(seconds), 1.0, most_retry_after));
}

}  // namespace headrace::http
