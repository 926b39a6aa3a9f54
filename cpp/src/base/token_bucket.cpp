#include <headrace/base/token_bucket.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace headrace {
namespace {

constexpr long double second = 1e9L;

}  // namespace

token_bucket::token_bucket(double rate, double burst, ns now) : rate_(rate), burst_(burst), origin_(now) {
    if (const auto bad = check(rate, burst)) throw std::invalid_argument(bad.message);
}

failure token_bucket::check(double rate, double burst) {
    if (!std::isfinite(rate) || rate <= 0.0) {
        return failure::of(errc::invalid_argument, "rate must be a number above 0 per second");
    }
    if (!std::isfinite(burst) || burst < 1.0) {
        return failure::of(errc::invalid_argument, "burst must be a number of at least 1 token");
    }
    return {};
}

long double token_bucket::inflow(ns now) const noexcept {
    return std::max(0.0L, static_cast<long double>((now - origin_).count()) * rate_ / second);
}

long double token_bucket::level_at(ns now) const noexcept {
    return std::min<long double>(burst_, burst_ - taken_ + inflow(now));
}

double token_bucket::level(ns now) const noexcept {
    return static_cast<double>(level_at(now));
}

ns token_bucket::ready_at(double n, ns now) const noexcept {
    const long double missing = std::min<long double>(n, burst_) - level_at(now);
    if (missing <= 0.0L) return now;
    // Counted from the origin: the answer does not depend on when it was asked.
    const long double wait = std::ceil((std::min<long double>(n, burst_) - burst_ + taken_) * second / rate_);
    constexpr auto never = static_cast<long double>(ns::max().count());
    if (wait >= never - static_cast<long double>(origin_.count())) return ns::max();
    return std::max(now, origin_ + ns{static_cast<ns::rep>(wait)});
}

bool token_bucket::try_take(double n, ns now) noexcept {
    if (ready_at(n, now) > now) return false;
    const long double overflow = inflow(now) - taken_;
    // An overflow of less than 1 ns comes from rounding in ready_at() and stays credited, so that it does not add up.
    if (overflow * second >= static_cast<long double>(rate_)) {
        origin_ = std::max(origin_, now);
        taken_ = 0.0L;
    }
    taken_ += n;
    return true;
}

}  // namespace headrace
