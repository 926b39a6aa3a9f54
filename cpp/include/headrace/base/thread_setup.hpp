// What every thread of ours does first.
// Threads:  concerns the calling thread only.   Errors: none.
#pragma once

#include <string>

namespace headrace {

/// Signals belong to the main thread (Python's handlers); timers should be as fine as the kernel can. The name shows in
/// top and gdb, 15 characters of it.
void set_up_thread(const std::string& name) noexcept;

}  // namespace headrace
