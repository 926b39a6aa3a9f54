// A map: many requests that come back together, as one list.
//
// Threads:  made with the GIL; one_is_done() from any thread.
// Lifetime: counted like a request; it owns its requests and lets them go when it is destroyed.
#pragma once

#include <atomic>
#include <vector>

#include "request.hpp"

namespace headrace::bindings {

class gathering final : public bridge::pending_result {
public:
    explicit gathering(bool errors_are_values) noexcept
        : pending_result(destruction::with_gil), errors_are_values_(errors_are_values) {}
    ~gathering() override;

    /// Before it is submitted. A request that is decided already (from a cache) is not waited for.
    void add(request& r, bool decided);
    std::size_t waited_for() const noexcept { return left_.load(std::memory_order_relaxed); }
    /// Those that are to be submitted, linked by `next`; null when all are decided.
    request* chain() const noexcept { return first_; }
    request* chain_end() const noexcept { return last_; }

    /// True once, for the last one. The engine's reference to that request is the gathering's to drop.
    bool one_is_done() noexcept { return left_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

    _object* to_python() override;
    void on_cancel() noexcept override;

private:
    std::vector<request*> requests_;
    std::atomic<std::size_t> left_{0};
    request* first_ = nullptr;
    request* last_ = nullptr;
    const bool errors_are_values_;
};

}  // namespace headrace::bindings
