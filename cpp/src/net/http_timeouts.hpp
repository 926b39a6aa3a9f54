// When to look at which connection again, for thousands of them with one timer.
//
// Each phase of a connection has one period, so the list of those in a phase is in the order in which they are due:
// entering, leaving and finding the next one are a few pointer writes. It is also the list of all open connections.
// Threads:  pure; one owner.   Lifetime: an entry must be removed before it goes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <headrace/base/clock.hpp>

namespace headrace::net::http {

enum class phase : std::uint8_t { handshake, header, body, working, write, idle, linger, websocket };
inline constexpr std::size_t phases = 8;

struct timeout_entry {
    timeout_entry* earlier = nullptr;
    timeout_entry* later = nullptr;
    ns due{0};
    phase where = phase::handshake;
};

class timeouts {
public:
    static constexpr ns never = ns::max();

    /// Periods by phase; 0: never.
    explicit timeouts(const std::array<ns, phases>& periods) : periods_(periods) {
        for (auto& end : ends_) end.earlier = end.later = &end;
    }
    timeouts(const timeouts&) = delete;
    timeouts& operator=(const timeouts&) = delete;

    /// Into the phase, or anew into the one it is in.
    void enter(timeout_entry& e, phase p, ns now) noexcept {
        remove(e);
        const auto index = static_cast<std::size_t>(p);
        e.where = p;
        e.due = periods_[index] == ns{0} ? never : now + periods_[index];
        auto& end = ends_[index];
        e.earlier = end.earlier;
        e.later = &end;
        e.earlier->later = end.earlier = &e;
    }
    void remove(timeout_entry& e) noexcept {
        if (e.later == nullptr) return;
        e.earlier->later = e.later;
        e.later->earlier = e.earlier;
        e.earlier = e.later = nullptr;
    }
    ns next_due() const noexcept {
        ns next = never;
        for (const auto& end : ends_) {
            if (end.later != &end) next = std::min(next, end.later->due);
        }
        return next;
    }
    /// One that is due, or nullptr. It must enter a phase or be removed before the next call.
    timeout_entry* expired(ns now) noexcept {
        for (auto& end : ends_) {
            if (end.later != &end && end.later->due <= now) return end.later;
        }
        return nullptr;
    }
    ns period(phase p) const noexcept { return periods_[static_cast<std::size_t>(p)]; }
    /// Calls f for each entry; f may remove the one that it is given.
    template <class F>
    void for_each(F&& f) {
        for (auto& end : ends_) {
            for (auto* e = end.later; e != &end;) {
                auto* const following = e->later;
                f(*e);
                e = following;
            }
        }
    }

private:
    std::array<ns, phases> periods_;
    std::array<timeout_entry, phases> ends_{};
};

}  // namespace headrace::net::http
