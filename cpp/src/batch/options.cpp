#include <headrace/base/token_bucket.hpp>
#include <headrace/batch/options.hpp>

namespace headrace::batch {
namespace {

failure bad(const batch_options& o, const char* what) {
    return failure::of(errc::invalid_argument, o.name + ": " + what);
}

bool outside(ns duration) {
    return duration < ns{0} || duration > std::chrono::hours{24 * 365};
}

}  // namespace

failure check(const batch_options& o) {
    if (o.max_batch_size == 0) return bad(o, "max_batch_size must be at least 1 item");
    if (o.max_queue_size == 0) return bad(o, "max_queue_size must be at least 1 item");
    if (o.min_concurrent_batches == 0) return bad(o, "min_concurrent_batches must be at least 1");
    if (o.max_concurrent_batches < o.min_concurrent_batches) {
        return bad(o, "max_concurrent_batches must not be below min_concurrent_batches");
    }
    if (outside(o.batch_wait_timeout)) return bad(o, "batch_wait_timeout must be between 0 and 1 year");
    if (outside(o.cache_ttl)) return bad(o, "cache_ttl must be between 0 and 1 year");
    if (outside(o.spin)) return bad(o, "spin must be between 0 and 1 year");
    if (o.rate_limit.rate == 0.0) return {};
    if (auto why = token_bucket::check(o.rate_limit.rate, o.rate_limit.burst)) {
        return bad(o, ("rate_limit: " + why.message).c_str());
    }
    return {};
}

}  // namespace headrace::batch
