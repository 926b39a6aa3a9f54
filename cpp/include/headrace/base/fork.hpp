// Telling a child from its parent without a system call: handles of threads that fork() did not copy must not be used.
// Threads:  from any thread.   Errors: none.
#pragma once

#include <cstdint>

namespace headrace {

/// How many forks lie between this process and the one that first asked. A handle keeps the number of its making; another
/// number now means that it belongs to the parent. Costs a load.
std::uint32_t fork_generation() noexcept;

}  // namespace headrace
