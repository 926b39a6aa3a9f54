// From `failure` and std::error_code to the one Python exception tree (python/headrace/errors.py).
// Threads:  with the GIL held.
#pragma once

#include <headrace/base/error.hpp>
#include <stdexcept>
#include <string>

namespace headrace::bindings {

/// What bindings throw; the translator raises the matching class of headrace.errors with the same text.
class failure_error : public std::runtime_error {
public:
    explicit failure_error(failure f) : std::runtime_error(f.message), code_(f.code) {}
    std::error_code code() const noexcept { return code_; }

private:
    std::error_code code_;
};

inline void throw_if(const failure& f) {
    if (f) throw failure_error(f);
}

/// The exception object for a failure, for results that carry errors as values. A new reference.
void* make_exception(const failure& f);

}  // namespace headrace::bindings
