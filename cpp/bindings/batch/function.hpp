// Batch functions without Python: what they make of an argument, and how they answer.
//
// Threads:  make_request() with the GIL; the rest as batch/batch_function.hpp says, and without the GIL.
// Lifetime: shared by Python and the batchers that use it.
// Errors:   make_request() raises Python errors for arguments it cannot take.
#pragma once

#include <headrace/batch/batch_function.hpp>
#include <string>

#include "request.hpp"

namespace headrace::bindings {

/// What functions of requests have in common.
class request_function : public batch::batch_function {
public:
    void fail(batch::item& it, const std::exception_ptr& why) noexcept override;
    void share(const batch::item& from, batch::item& to) override;
};

class native_function : public request_function {
public:
    explicit native_function(std::string name) : name_(std::move(name)) {}
    const std::string& name() const noexcept { return name_; }
    /// Null with an error set.
    virtual request* make_request(batch_core& core, PyObject* argument) = 0;

private:
    const std::string name_;
};

/// The same failure for all items of a batch.
void fail_all(std::span<batch::item* const> items, const failure& why);

}  // namespace headrace::bindings
