// What is sent: payloads of exactly the asked size whose first word is the message's id.
//
// random: incompressible bytes; text: words; file: the file's bytes as they are (no id inside). A generated payload too
// small for its id carries none; the id still travels in the broker's own place for it.
// Threads:  one owner.   Lifetime: a view lives until the next call.
#pragma once

#include <cstdint>
#include <headrace/base/error.hpp>
#include <string>
#include <string_view>

namespace headrace::mq {

class payload_source {
public:
    /// `what`: "random", "text" or the path of a file; `size` in bytes is ignored for a file.
    static failure make(std::string_view what, std::size_t size, std::uint64_t seed, payload_source& out);

    std::string_view at(std::string_view id) noexcept;
    std::size_t size() const noexcept { return size_; }

private:
    std::string pool_;    // size_ bytes are taken from a moving place in it
    std::string buffer_;  // the payload under construction
    std::size_t size_ = 0;
    std::size_t offset_ = 0;
    bool generated_ = false;
};

/// The id in a payload: its first word when that can be one (16 to 40 characters of [0-9A-Za-z_.-]), else empty.
std::string_view id_in_payload(std::string_view payload) noexcept;

}  // namespace headrace::mq
