// Ids as fixed-width keys.
//
// Recorded rows keep an id in 40 bytes, padded with zero bytes. An id that does not fit, or that ends in a zero byte
// and would be cut by the padding, is folded: its first bytes (at most 7, whole UTF-8 characters, none of them zero),
// '~', and the 32 hex digits of its XXH3-128 (canonical order, seed 0). The same id folds alike everywhere, so folded
// ids still join. Threads:  pure functions.   Errors: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace headrace::measure {

inline constexpr std::size_t id_width = 40;
using id_key = std::array<char, id_width>;

inline bool needs_folding(std::string_view id) noexcept {
    return id.size() > id_width || (!id.empty() && std::memchr(id.data(), 0, id.size()) != nullptr);
}

/// The folded form of `id`, whatever its length, padded with zero bytes.
id_key fold_long_id(std::string_view id) noexcept;

/// Writes `id` to 40 bytes at `to`: as it is when it fits, else folded.
inline void fold_id_to(std::string_view id, char* to) noexcept {
    if (needs_folding(id)) {
        std::memcpy(to, fold_long_id(id).data(), id_width);
        return;
    }
    std::memset(to, 0, id_width);
    if (!id.empty()) std::memcpy(to, id.data(), id.size());
}

inline id_key fold_id(std::string_view id) noexcept {
    id_key key;
    fold_id_to(id, key.data());
    return key;
}

/// The id in a key, without its padding. Lives as long as the 40 bytes at `key`.
inline std::string_view id_of(const char* key) noexcept {
    return {key, ::strnlen(key, id_width)};
}

}  // namespace headrace::measure
