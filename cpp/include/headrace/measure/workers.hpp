// A loop over numbered items, shared by a few threads for the time of one call.
//
// Threads:  `work(worker, item)` runs on `workers` threads at once, the caller's among them; items are taken in order.
// Stop:     no further item is begun once one failed or `cancel` is set. Returns when all threads are done.
// Errors:   the first failure; errc::cancelled; std::bad_alloc in an item becomes a failure as well.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <headrace/base/error.hpp>

namespace headrace::measure {

using work_item = std::function<failure(std::size_t worker, std::size_t item)>;

failure share_out(std::size_t items, std::size_t workers, const std::atomic<bool>& cancel, const work_item& work);

/// What a cancelled operation returns.
failure cancelled();

}  // namespace headrace::measure
