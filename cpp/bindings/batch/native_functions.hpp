// The batch functions that run without Python.
//
// Threads:  the makers with the GIL.
// Errors:   see headrace.batch; makers throw failure_error.
#pragma once

#include <headrace/base/clock.hpp>
#include <headrace/redis/client.hpp>
#include <memory>
#include <string>

#include "function.hpp"

namespace headrace::bindings {

/// Gives each argument back, at once.
std::shared_ptr<native_function> make_identity();
/// GET of many keys as one MGET.
std::shared_ptr<native_function> make_redis_get(std::shared_ptr<redis::client> client, ns timeout);
/// HGET of many (key, field) as one pipeline.
std::shared_ptr<native_function> make_redis_hget(std::shared_ptr<redis::client> client, ns timeout);
/// Rows of many keys by one query: the first row of each, or with `all` a list.
std::shared_ptr<native_function> make_sqlite(const std::string& path, const std::string& query, bool all,
                                             ns busy_timeout);

}  // namespace headrace::bindings
