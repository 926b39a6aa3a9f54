// Histograms as bytes, so that processes can ship them: magic, totals, then (empty slots skipped, count) pairs as
// variable-length integers (7 bits a byte, low first), then the XXH64 of all that.
#include <xxhash.h>

#include <algorithm>
#include <headrace/base/bytes.hpp>
#include <headrace/measure/histogram.hpp>
#include <utility>

namespace headrace::measure {
namespace {

constexpr std::string_view magic = "HRhist1\n";

void append_varint(std::string& out, std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
    out += static_cast<char>(v);
}

void append_wide(std::string& out, uint128 v) {
    append_bytes(out, static_cast<std::uint64_t>(v));
    append_bytes(out, static_cast<std::uint64_t>(v >> 64));
}

/// Takes from the front; `ok` turns false for good at the first thing that is not there.
struct taker {
    std::string_view rest;
    bool ok = true;

    std::uint64_t fixed() {
        if (rest.size() < 8) ok = false;
        if (!ok) return 0;
        const auto v = load<std::uint64_t>(rest.data());
        rest.remove_prefix(8);
        return v;
    }
    uint128 wide() {
        const uint128 low = fixed();
        return low | static_cast<uint128>(fixed()) << 64;
    }
    std::uint64_t varint() {
        std::uint64_t v = 0;
        for (unsigned shift = 0; ok && !rest.empty() && shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(rest.front());
            rest.remove_prefix(1);
            v |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            if (byte < 0x80) return v;
        }
        ok = false;
        return 0;
    }
};

failure malformed(const char* what) {
    return failure::of(errc::invalid_argument, std::string("not a histogram of this program: ") + what);
}

}  // namespace

std::string histogram::encode() const {
    std::string out(magic);
    append_bytes(out, below_);
    append_bytes(out, above_);
    append_bytes(out, min_);
    append_bytes(out, max_);
    append_wide(out, sum_);
    append_wide(out, squares_);
    std::uint64_t skipped = 0;
    for (const auto n : counts_) {
        if (n == 0) {
            ++skipped;
            continue;
        }
        append_varint(out, std::exchange(skipped, 0));
        append_varint(out, n);
    }
    append_bytes(out, static_cast<std::uint64_t>(XXH64(out.data(), out.size(), 0)));
    return out;
}

failure histogram::decode(std::string_view bytes, histogram& out) {
    if (!bytes.starts_with(magic) || bytes.size() < magic.size() + 8) return malformed("its first bytes differ");
    const std::string_view body = bytes.substr(0, bytes.size() - 8);
    if (load<std::uint64_t>(bytes.data() + body.size()) != XXH64(body.data(), body.size(), 0)) {
        return malformed("the checksum does not match, so some of the bytes are damaged or missing");
    }
    taker in{body.substr(magic.size())};
    histogram h;
    h.below_ = in.fixed();
    h.above_ = in.fixed();
    h.min_ = static_cast<std::int64_t>(in.fixed());
    h.max_ = static_cast<std::int64_t>(in.fixed());
    h.sum_ = in.wide();
    h.squares_ = in.wide();
    for (std::size_t slot = 0; in.ok && !in.rest.empty(); ++slot) {
        const std::uint64_t skipped = in.varint();
        const std::uint64_t n = in.varint();
        if (!in.ok || n == 0 || skipped >= slots - slot) return malformed("a slot lies outside the range");
        slot += skipped;
        h.counts_[slot] = n;
        if (__builtin_add_overflow(h.count_, n, &h.count_)) return malformed("the counts exceed 64 bits");
        if (slot == slots - 1 && !in.rest.empty()) return malformed("there are bytes after the last slot");
    }
    if (!in.ok || !h.consistent()) return malformed("the totals do not fit the counts");
    out = std::move(h);
    return {};
}

bool histogram::consistent() const noexcept {
    if (count_ == 0) return min_ == highest + 1 && max_ == -1 && sum_ == 0 && squares_ == 0;
    if (min_ < 0 || max_ > highest || min_ > max_) return false;
    const auto used = [](std::uint64_t n) { return n != 0; };
    const auto first = std::find_if(counts_.begin(), counts_.end(), used) - counts_.begin();
    const auto last = counts_.rend() - std::find_if(counts_.rbegin(), counts_.rend(), used) - 1;
    return slot_of(static_cast<std::uint64_t>(min_)) == static_cast<std::size_t>(first) &&
           slot_of(static_cast<std::uint64_t>(max_)) == static_cast<std::size_t>(last);
}

}  // namespace headrace::measure
