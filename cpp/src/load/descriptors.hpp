// Room for many connections in one process.
// Threads:  one at a time; the limit belongs to the process.
// Errors:   failure(invalid_argument) when the hard limit is too low, before anything is sent.
#pragma once

#include <cstddef>
#include <headrace/base/error.hpp>

namespace headrace::load {

/// Raises the soft limit of file descriptors, when `connections` need it.
failure ensure_descriptors(std::size_t connections);

}  // namespace headrace::load
