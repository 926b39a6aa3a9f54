// A worker process: a fresh program with two descriptors of ours, started by posix_spawn, never by a bare fork.
// Threads:  any; but the worker dies with the thread that started it (PR_SET_PDEATHSIG), so that thread must live on.
// Errors:   io_error with what the system said.
#pragma once

#include <sys/types.h>

#include <headrace/base/error.hpp>
#include <string>
#include <vector>

namespace headrace::exec {

/// Both descriptors are inherited under their numbers, which are appended to the arguments. No signal is blocked in it.
/// `environment`: "NAME=value"; empty: as this process has it, which nobody may change meanwhile.
failure spawn_process(const std::vector<std::string>& command, const std::vector<std::string>& environment, int channel,
                      int claims, pid_t& pid);

/// False while it lives. `how`: "exited with status 3", "was killed by signal 11 (Segmentation fault)".
bool reap_process(pid_t pid, std::string& how);

/// Resident bytes; 0 when there is no such process.
std::uint64_t resident_bytes(pid_t pid);

}  // namespace headrace::exec
