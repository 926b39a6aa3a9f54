#include <cstring>
#include <headrace/net/utf8.hpp>

namespace headrace::net {
namespace {

// The first byte that is not ASCII, eight at a time.
const char* skip_ascii(const char* at, const char* end) noexcept {
    while (end - at >= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        if ((word & 0x8080808080808080ULL) != 0) break;
        at += 8;
    }
    while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
    return at;
}

}  // namespace

// The table of RFC 3629, section 4: how many bytes follow, and what bounds the first of them.
bool utf8_validator::start(unsigned char c) noexcept {
    low_ = 0x80;
    high_ = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        missing_ = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        missing_ = 2;
        if (c == 0xe0) low_ = 0xa0;
        if (c == 0xed) high_ = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
        missing_ = 3;
        if (c == 0xf0) low_ = 0x90;
        if (c == 0xf4) high_ = 0x8f;
    } else {
        return false;
    }
    return true;
}

bool utf8_validator::add(std::string_view bytes) noexcept {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
        if (missing_ == 0) {
            at = skip_ascii(at, end);
            if (at == end) break;
            if (!start(static_cast<unsigned char>(*at++))) return false;
            continue;
        }
        const auto c = static_cast<unsigned char>(*at++);
        if (c < low_ || c > high_) return false;
        low_ = 0x80;
        high_ = 0xbf;
        --missing_;
    }
    return true;
}

}  // namespace headrace::net
