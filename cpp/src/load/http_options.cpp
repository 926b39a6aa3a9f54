#include <cmath>
#include <headrace/load/http_options.hpp>

namespace headrace::load {
namespace {

constexpr std::size_t max_users = 1'000'000;
constexpr std::size_t max_threads = 256;

failure bad(const std::string& why) {
    return failure::of(errc::invalid_argument, "load: " + why);
}

failure check_times(const http_load_options& o) {
    const auto negative = [](ns t) { return t < ns{0}; };
    if (negative(o.duration) || negative(o.warm_up) || negative(o.ramp) || negative(o.drain)) {
        return bad("duration, warm-up, ramp and drain must not be negative");
    }
    if (o.timeout <= ns{0}) return bad("timeout must be above 0");
    if (negative(o.think_least) || o.think_most < o.think_least) {
        return bad("think time must not be negative, nor its upper end below its lower one");
    }
    if (o.rate > 0 && o.think_most > ns{0}) return bad("think time is a user's; with a rate there are none");
    return {};
}

}  // namespace

failure check_options(const http_load_options& o) {
    if (o.requests.empty()) return bad("no URL was given");
    if (o.threads == 0 || o.threads > max_threads) return bad("threads must be between 1 and 256");
    if (o.users == 0 || o.users > max_users)
        return bad("users (with a rate: connections) must be between 1 and 1000000");
    if (o.users < o.threads) return bad("there must be at least one user (or connection) for each thread");
    if (o.rate != 0) {
        if (auto wrong = measure::pacer::check(o.rate)) return bad(wrong.message);
    }
    for (const auto& range : o.expect_status) {
        if (range.first < 100 || range.last > 599 || range.last < range.first) {
            return bad("an expected status must be between 100 and 599");
        }
    }
    return check_times(o);
}

}  // namespace headrace::load
