// Fixed-width integers in byte buffers, little-endian, at any alignment.
// Threads:  pure functions.   Errors: none; the caller has checked the size.
#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <type_traits>

namespace headrace {

static_assert(std::endian::native == std::endian::little, "files and wire buffers are written as they lie in memory");

template <class T>
T load(const char* from) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T>
void store(char* to, T value) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(to, &value, sizeof value);
}

template <class T>
void append_bytes(std::string& out, T value) {
    char bytes[sizeof value];
    store(bytes, value);
    out.append(bytes, sizeof bytes);
}

}  // namespace headrace
