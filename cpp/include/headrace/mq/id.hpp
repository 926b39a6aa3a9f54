// Message ids: unique across programs and machines, fixed width, sortable within a worker.
//
//   k3x9q2m7ab1c-03-0000001234
//   instance     worker number      12 random base-32 characters (60 bits), two or more digits, ten digits
//
// Threads:  pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::mq {

/// 12 random characters of [0-9a-v], from the operating system's generator.
std::string random_instance();

/// Writes the ids of one worker without allocating.
class id_writer {
public:
    /// `instance` 1..24 characters of [0-9A-Za-z_.-]; checked by the caller.
    id_writer(std::string_view instance, std::uint32_t worker);
    /// The view lives until the next call. Numbers above 9,999,999,999 make the id longer.
    std::string_view at(std::uint64_t number) noexcept;
    std::size_t size() const noexcept { return prefix_ + digits; }

private:
    static constexpr std::size_t digits = 10;
    char text_[64];
    std::size_t prefix_;
};

bool valid_instance(std::string_view text) noexcept;

}  // namespace headrace::mq
