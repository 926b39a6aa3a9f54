#include <xxhash.h>

#include <algorithm>
#include <headrace/measure/fold_id.hpp>

namespace headrace::measure {
namespace {

constexpr std::size_t prefix_width = 7;

bool continues_character(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

id_key fold_long_id(std::string_view id) noexcept {
    std::size_t prefix = std::min({id.size(), prefix_width, id.find('\0')});
    while (prefix > 0 && prefix < id.size() && continues_character(id[prefix])) --prefix;

    id_key key{};
    char* at = std::copy_n(id.data(), prefix, key.data());
    *at++ = '~';
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(id.data(), id.size()));
    for (const unsigned char byte : digest.digest) {
        *at++ = "0123456789abcdef"[byte >> 4];
        *at++ = "0123456789abcdef"[byte & 15];
    }
    return key;
}

}  // namespace headrace::measure
