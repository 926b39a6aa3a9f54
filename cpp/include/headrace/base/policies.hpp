// Words that mean the same in every part: what a full queue does, and how an object stops.
#pragma once

#include <cstdint>

namespace headrace {

enum class full_policy : std::uint8_t {
    wait,         ///< The caller waits for room, up to its deadline.
    reject,       ///< The new one fails with errc::queue_full.
    drop_oldest,  ///< The one that has waited longest fails with errc::queue_full, the new one enters.
};

enum class stop_mode : std::uint8_t {
    drain,   ///< Refuse new work, do what was accepted.
    cancel,  ///< Refuse new work, fail what has not started; what runs ends by itself.
};

}  // namespace headrace
