// Boost 1.81 (Debian 12) cannot await void(std::exception_ptr, T): its awaitable_async_op_handler asks `*result` of a struct
// that has no such operator, where later versions ask `*result.ex_`. This operator says what was meant, for that struct only.
#pragma once

#include <concepts>
#include <exception>

namespace boost::asio::detail {

template <class Result>
requires requires(Result& r) {
    { r.ex_ } -> std::same_as<std::exception_ptr*&>;
    r.value_;
}
bool operator*(Result& r) noexcept {
    return static_cast<bool>(*r.ex_);
}

}  // namespace boost::asio::detail
