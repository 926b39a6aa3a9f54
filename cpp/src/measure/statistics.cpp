#include <headrace/measure/statistics.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

namespace headrace::measure {
namespace {

__extension__ typedef __int128 wide;

constexpr unsigned digit_bits = 16;

/// One percentile on its way: values whose key begins with `prefix` hold the wanted one, `rank` of them come before it.
struct search {
    std::uint64_t prefix = 0;
    std::uint64_t rank = 0;
};

/// Narrows all searches by one digit of the key (value - min), `shift` being the bits below the prefix so far.
class narrowing {
public:
    narrowing(std::span<search> searches, unsigned shift)
        : searches_(searches), shift_(shift), step_(std::min(shift, digit_bits)) {
        for (const search& s : searches_)
            if (std::find(prefixes_.begin(), prefixes_.end(), s.prefix) == prefixes_.end())
                prefixes_.push_back(s.prefix);
        counts_.assign(prefixes_.size() << step_, 0);
    }

    void see(std::uint64_t key) noexcept {
        const std::uint64_t prefix = shift_ == 64 ? 0 : key >> shift_;
        const std::uint64_t digit = key >> (shift_ - step_) & ((std::uint64_t{1} << step_) - 1);
        for (std::size_t i = 0; i < prefixes_.size(); ++i)
            if (prefixes_[i] == prefix) ++counts_[(i << step_) + digit];
    }

    unsigned finish() {
        for (search& s : searches_) {
            const auto at = std::find(prefixes_.begin(), prefixes_.end(), s.prefix) - prefixes_.begin();
            const std::uint64_t* counts = counts_.data() + (static_cast<std::size_t>(at) << step_);
            std::uint64_t digit = 0;
            while (s.rank >= counts[digit]) s.rank -= counts[digit++];
            s.prefix = s.prefix << step_ | digit;
        }
        return shift_ - step_;
    }

private:
    std::span<search> searches_;
    unsigned shift_, step_;
    std::vector<std::uint64_t> prefixes_, counts_;
};

/// `each(f)` calls f(value) for every value, any number of times over; false when the values cannot be read.
template <class Each>
bool first_look(Each&& each, statistics& s) {
    wide sum = 0;
    s.min = std::numeric_limits<std::int64_t>::max();
    s.max = std::numeric_limits<std::int64_t>::min();
    const bool ok = each([&](std::int64_t v) {
        ++s.count;
        s.min = std::min(s.min, v);
        s.max = std::max(s.max, v);
        sum += v;
    });
    if (s.count == 0) s.min = s.max = 0;
    if (s.count != 0) s.avg = static_cast<double>(static_cast<long double>(sum) / static_cast<long double>(s.count));
    return ok;
}

template <class Each>
bool deviation(Each&& each, statistics& s) {
    if (s.count < 2) return true;
    // Around the mean, with what rounding left of the sum of differences taken out again.
    double squares = 0;
    double rest = 0;
    const bool ok = each([&](std::int64_t v) {
        const double d = static_cast<double>(v) - s.avg;
        squares += d * d;
        rest += d;
    });
    const auto n = static_cast<double>(s.count);
    s.stddev = std::sqrt(std::max(0.0, (squares - rest * rest / n) / (n - 1)));
    return ok;
}

template <class Each>
bool percentiles(Each&& each, statistics& s) {
    std::array<search, reported_percentiles.size()> searches;
    for (std::size_t i = 0; i < searches.size(); ++i)
        searches[i].rank = (s.count * reported_percentiles[i] + 9999) / 10000 - 1;
    const auto min = static_cast<std::uint64_t>(s.min);
    auto shift = static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(s.max) - min));
    while (shift != 0) {
        narrowing n(searches, shift);
        if (!each([&](std::int64_t v) { n.see(static_cast<std::uint64_t>(v) - min); })) return false;
        shift = n.finish();
    }
    for (std::size_t i = 0; i < searches.size(); ++i)
        s.percentiles[i] = static_cast<std::int64_t>(min + searches[i].prefix);
    return true;
}

template <class Each>
bool all(Each&& each, statistics& s) {
    return first_look(each, s) && (s.count == 0 || (deviation(each, s) && percentiles(each, s)));
}

}  // namespace

failure value_log::summarize(statistics& out) const {
    for (std::size_t w = 0; w < workers_; ++w)
        if (store_.error(w)) return store_.error(w);
    failure f;
    out = {};
    all(
        [&](auto&& see) {
            f = store_.each_block(0, [&](const std::byte* from, std::size_t n) {
                for (std::size_t i = 0; i < n; ++i) {
                    std::int64_t v = 0;
                    std::memcpy(&v, from + i * sizeof v, sizeof v);
                    see(v);
                }
            });
            return !f;
        },
        out);
    return f;
}

statistics summarize(const std::vector<std::int64_t>& values) {
    statistics out;
    all(
        [&](auto&& see) {
            for (const std::int64_t v : values) see(v);
            return true;
        },
        out);
    return out;
}

}  // namespace headrace::measure
